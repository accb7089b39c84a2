// A link and an image.
var OutSystemsReactWidgets = {
    link: function (text, href) {
        var anchor = document.createElement("a");
        anchor.textContent = text;
        anchor.href = href;
        document.getElementById("reactContainer").appendChild(anchor);
    },
    image: function (source) {
        var image = document.createElement("img");
        image.src = source;
        image.alt = source;
        document.getElementById("reactContainer").appendChild(image);
    }
};
