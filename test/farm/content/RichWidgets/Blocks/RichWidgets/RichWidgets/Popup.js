// The script of a block that Traditional screens use.
var RichWidgetsPopup = { open: function (url) { window.open(url); } };
