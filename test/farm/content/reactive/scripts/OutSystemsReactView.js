// Puts lines of text into the page.
var OutSystemsReactView = {
    show: function (text) {
        var line = document.createElement("p");
        line.textContent = text;
        document.getElementById("reactContainer").appendChild(line);
    }
};
