// Calls screen services. Without a CSRF token the server answers 403 and sets the cookies that
// carry one: the call is then made again.
var OutSystems = (function () {
    function token() {
        var found = /(?:^|; )nr2Users=([^;]*)/.exec(document.cookie);
        var crf = found && /crf=([^;]*)/.exec(decodeURIComponent(found[1]));
        return crf ? crf[1] : "";
    }
    function post(path, body) {
        return fetch(path, {
            method: "POST",
            headers: {
                "Content-Type": "application/json; charset=UTF-8",
                "X-CSRFToken": token(),
                "OutSystems-client-env": "browser",
                "OutSystems-locale": "en-US"
            },
            body: JSON.stringify(body)
        });
    }
    return {
        call: function (path, body) {
            return post(path, body).then(function (answer) {
                return answer.status === 403 && token() ? post(path, body) : answer;
            }).then(function (answer) {
                if (answer.status !== 200) {
                    throw new Error(path + " answered " + answer.status);
                }
                return answer.json();
            });
        }
    };
})();
