// Shows /openapi.json in Swagger UI. Options: https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/

const dark = matchMedia("(prefers-color-scheme: dark)");
const applyScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", applyScheme);
applyScheme();

const ui = SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "/openapi.json",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
  // Signing in and refreshing both return an access token; accessToken is also the name of the security scheme.
  responseInterceptor: (response) => {
    const token = response.body?.accessToken;
    if (token) ui.preauthorizeApiKey("accessToken", token);
    return response;
  },
});
