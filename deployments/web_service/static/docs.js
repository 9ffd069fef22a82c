// The interface, to read: this page may ask nothing of the service, for its scripts are not the service's own.
SwaggerUIBundle({
  spec: JSON.parse(document.getElementById("document").textContent),
  dom_id: "#swagger-ui",
  supportedSubmitMethods: [],
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
