// A block of another module, delivered under the path of the one that uses it.
var LayoutTopMenu = {
    render: function () {
        OutSystemsReactWidgets.image("/ImageRepository/img/logo.svg");
        OutSystemsReactWidgets.link("Sign in", "/MyOtherApp/Login.aspx");
    }
};
