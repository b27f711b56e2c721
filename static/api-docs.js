// Starts Swagger UI on the schema its page names. "Try it out" acts as the user who is signed in on this site.
const csrfToken = () =>
  new RegExp(`(?:^|;\\s*)${document.documentElement.dataset.csrfCookie}=([^;]+)`).exec(document.cookie)?.[1] ?? '';
const place = document.getElementById('swagger-ui');
const dark = matchMedia('(prefers-color-scheme: dark)');
const colour = () => document.documentElement.classList.toggle('dark-mode', dark.matches); // Swagger UI's own switch
dark.addEventListener('change', colour);
colour();
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.schema,
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null, // would send the schema to another company's server
  requestInterceptor(request) {
    if (new URL(request.url, location.href).origin === location.origin)
      request.headers['X-CSRFToken'] = csrfToken();
    return request;
  },
});
