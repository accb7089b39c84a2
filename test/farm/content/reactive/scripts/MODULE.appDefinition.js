// Name and version of the application.
var appDefinition = { applicationName: "@MODULE@", version: "@VERSION@", userProvider: "Users" };
