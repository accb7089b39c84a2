// Stands in for the bridge between a native app and its page.
var cordova = { platformId: "browser" };
