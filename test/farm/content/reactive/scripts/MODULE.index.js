// Starts the application and says how it went.
LayoutTopMenu.render();
OSManifestLoader.getLatestVersion().then(function (version) {
    OutSystemsReactView.show(appDefinition.applicationName + ", version token " + version.versionToken);
    return OSManifestLoader.getLatestManifest(version.versionToken);
}).then(function (info) {
    var count = Object.keys(info.manifest.urlVersions).length;
    OutSystemsReactView.show("The manifest names " + count + " resources.");
    return HomeScreen.load(info.manifest.versionToken);
}).then(function (answer) {
    answer.data.List.List.forEach(function (item) {
        OutSystemsReactView.show(item.Name);
    });
}).catch(function (error) {
    OutSystemsReactView.show("There was an error: " + error.message);
});
