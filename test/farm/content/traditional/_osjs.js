// Takes the answer of a partial post-back apart.
function OsJSONUpdate(update) {
    Object.keys(update.outers).forEach(function (id) {
        document.getElementById(id).innerHTML = update.outers[id].inner;
    });
}
