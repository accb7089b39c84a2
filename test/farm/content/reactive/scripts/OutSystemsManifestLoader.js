// Asks the server for the version and the manifest. The module is the first segment of the path.
var OSManifestLoader = (function () {
    function get(path) {
        var module = location.pathname.split("/")[1];
        return fetch("/" + module + "/moduleservices/" + path, { signal: AbortSignal.timeout(10000) })
            .then(function (answer) {
                if (answer.status !== 200) {
                    throw new Error(path + " answered " + answer.status);
                }
                return answer.json();
            });
    }
    return {
        indexVersionToken: null,
        getLatestVersion: function () {
            return get("moduleversioninfo?" + Date.now());
        },
        getLatestManifest: function (token) {
            return get("moduleinfo?" + token);
        }
    };
})();
