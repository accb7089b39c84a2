// The screen Home: fetches its list.
var HomeScreen = {
    load: function (token) {
        return OutSystems.call("/@MODULE@/screenservices/@MODULE@/MainFlow/Home/DataActionGetItems", {
            versionInfo: { moduleVersion: token, apiVersion: "1" },
            viewName: "MainFlow.Home",
            inputParameters: {}
        });
    }
};
