// Takes the answer of a partial post-back apart.
function OsJSONUpdate(update) {
    Object.keys(update.outers).forEach(function (id) {
        document.getElementById(id).innerHTML = update.outers[id].inner;
    });
}
// Goes to a screen of this module.
function osNavigate(screen) {
    location.href = "/@MODULE@/" + screen + ".aspx";
}
// Tells the platform how long the screen took.
function osBeacon(milliseconds) {
    navigator.sendBeacon("/PerformanceProbe/rest/BeaconInternal/WebScreenClientExecutedEvent", milliseconds);
}
