"""Every setting of the site, read from the environment once, typed; `config.checks` validates them.

The names and meanings are listed for operators in `.env.example` and docs/operations.md.
"""

import os
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

from api.environment import amounts, choice, flag, items, number, numbers, whole

env = environ.Env()
# A value that begins with "$" is a value like any other; to `environ` it would be the name of another variable.
env.ENVIRON = {name: value.replace("$", r"\$") for name, value in os.environ.items()}
env.escape_proxy = True

BASE_DIR = Path(__file__).resolve().parent.parent
# All local state (embedded servers' data, the generated secret, logs) lives below this folder.
SCOREBOARD_HOME = Path(env.str("SCOREBOARD_HOME", "") or BASE_DIR / ".local")

DEBUG = flag("DEBUG", False)
DEVELOPMENT_SECRET = "development-only-secret-never-use-it-where-scores-matter"  # noqa: S105
SECRET_KEY = env.str("SECRET_KEY", DEVELOPMENT_SECRET)
# Local addresses only until the operator says under which names the site is reached.
ALLOWED_HOSTS = items("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
# Where the site is on its host, such as "/scores" beside other sites; "": it has the host for itself.
SITE_PATH = env.str("SITE_PATH", "")
FORCE_SCRIPT_NAME = SITE_PATH or None
CSRF_TRUSTED_ORIGINS = items("CSRF_TRUSTED_ORIGINS", [])
CSRF_FAILURE_VIEW = "api.error_pages.csrf_failure"
# How many reverse proxies in front append to X-Forwarded-For; 0 means none is believed.
TRUSTED_PROXIES = whole("TRUSTED_PROXIES", 0)

INSTALLED_APPS = [
    "config.apps.ConfigConfig",  # first: its `runserver` is the one
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "channels",
    "corsheaders",
    "csp",
    "rest_framework",
    "rest_framework_simplejwt",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "devsite.apps.DevsiteConfig",
    "overview.apps.OverviewConfig",
    "events.apps.EventsConfig",
    "integrity.apps.IntegrityConfig",
    "actions.apps.ActionsConfig",
    "scoreboard.apps.ScoreboardConfig",
    "leaderboard.apps.LeaderboardConfig",
    "accounts.apps.AccountsConfig",
    "api.apps.ApiConfig",
]

MIDDLEWARE = [
    "api.middleware.RequestIdMiddleware",
    "api.unread.UnreadBodyMiddleware",
    "api.middleware.UnavailableMiddleware",
    "config.health.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",  # above WhiteNoise: the element is loaded by pages of other origins
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.pages.navigation",
                "actions.pages.navigation",
            ],
        },
    },
]

# --- PostgreSQL: the truth -------------------------------------------------------------------------

# Seconds. One connection a worker thread, kept: opening one costs more than any statement here.
DATABASE_CONN_MAX_AGE = whole("DATABASE_CONN_MAX_AGE", 600)
database: dict[str, Any] = env.db_url("DATABASE_URL", "postgres://scoreboard@127.0.0.1:5432/scoreboard")
if database.get("ENGINE") != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL is not the address of a PostgreSQL; expected postgres://…")
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "CONN_MAX_AGE": DATABASE_CONN_MAX_AGE,
        "CONN_HEALTH_CHECKS": True,
        **database,
        "ENGINE": "api.postgresql",
        # What DATABASE_URL says after its "?" beats these. Keepalives: a host that vanished does not close connections.
        "OPTIONS": {
            "connect_timeout": 3,
            "application_name": "scoreboard",
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            **database.get("OPTIONS", {}),
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: the read side, thrown away and rebuilt at will -----------------------------------------

REDIS_URL = env.str("REDIS_URL", "") or "redis://127.0.0.1:6379/0"
# Put before every key and channel, so that several sites (or test runs) can share one Redis.
REDIS_KEY_PREFIX = env.str("REDIS_KEY_PREFIX", "")
# Of a private authority that signed other servers' certificates; the system's own authorities do without.
CA_FILE = env.str("CA_FILE", "")
# rediss://: the certificate is verified, unless REDIS_URL itself says otherwise (?ssl_cert_reqs=none).
REDIS_TLS: dict[str, Any] = (
    {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **({"ssl_ca_certs": CA_FILE} if CA_FILE else {})}
    if REDIS_URL.startswith("rediss:")
    else {}
)
# Seconds. Scoring must not hang because Redis does: a write without a rank beats a write that waits.
REDIS_TIMEOUT = number("REDIS_TIMEOUT", 0.5)

CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_KEY_PREFIX}cache",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            # Not pickles, which run what any writer into Redis wants.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT,
            "SOCKET_TIMEOUT": REDIS_TIMEOUT,
            # One more try for a pooled connection that a restarted server closed; never a wait, never after a time-out.
            "CONNECTION_POOL_KWARGS": {
                "retry": Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
                "retry_on_timeout": False,
                **REDIS_TLS,
            },
        },
    },
}

CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # As above: without bounds a Redis that hangs would hold up the sending thread.
            "hosts": [
                {
                    "address": REDIS_URL,
                    "socket_timeout": REDIS_TIMEOUT,
                    "socket_connect_timeout": REDIS_TIMEOUT,
                    "retry": AsyncRetry(NoBackoff(), 1),
                    **REDIS_TLS,
                }
            ],
            "prefix": f"{REDIS_KEY_PREFIX}channels",
        },
    },
}

# --- Celery: never on the way of a score -----------------------------------------------------------


def celery_url(url: str) -> str:
    """kombu's spelling of a Redis URL: `unix:///run/r.sock?db=1` → `redis+socket:///run/r.sock?virtual_host=1`."""
    if not url.startswith("unix://"):
        return url
    return "redis+socket://" + url.removeprefix("unix://").replace("?db=", "?virtual_host=")


CELERY_BROKER_URL = celery_url(env.str("CELERY_BROKER_URL", "") or REDIS_URL)
# Both libraries would take any certificate.
if CELERY_BROKER_URL.startswith("rediss:"):
    CELERY_BROKER_USE_SSL = {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": CA_FILE or None}
elif CELERY_BROKER_URL.startswith("amqps:"):
    CELERY_BROKER_USE_SSL = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": CA_FILE or None, "server_hostname": None}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A Redis that refuses writes for a while (full disk, changed roles) is to be waited for, too: the worker would end.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"global_keyprefix": f"{REDIS_KEY_PREFIX}celery:", "socket_timeout": 10, "visibility_timeout": 3600}
    if "redis" in CELERY_BROKER_URL.partition(":")[0]
    else {"confirm_publish": True}
)
# Before the names of queues, so that several sites (or test runs) can share one broker.
QUEUE_PREFIX = env.str("QUEUE_PREFIX") if "QUEUE_PREFIX" in os.environ else REDIS_KEY_PREFIX
CELERY_TASK_DEFAULT_QUEUE = f"{QUEUE_PREFIX}celery"
# Seconds before each retry of a queued redemption that failed; after the last one it is dead.
QUEUE_RETRY_SECONDS = numbers("QUEUE_RETRY_SECONDS", [1, 4, 9])
# Redemptions that may wait for the commit in one process; while so many do, the next are queued. 0: none ever is.
QUEUE_WHEN_BUSY = whole("QUEUE_WHEN_BUSY", 0)
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 3600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Also how a worker notices that its Redis was restarted. Its channel is subscribed to as a pattern, which a user of
# Redis who is limited to a prefix may not: for such a user it is switched off.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = flag("CELERY_REMOTE_CONTROL", True)
CELERY_TIMEZONE = "UTC"

# --- Events: what others are told (docs/events.md) ------------------------------------------------------

# A RabbitMQ that gets each change of a score, amqp://user:password@host:5672//. Unset: none does.
EVENT_BROKER_URL = env.str("EVENT_BROKER_URL", "")
EVENT_BROKER_TLS = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": CA_FILE or None, "server_hostname": None}
# Messages that its queue takes; when it is full the rest waits in the history.
EVENT_QUEUE_LENGTH = whole("EVENT_QUEUE_LENGTH", 1_000_000)
# "kid:base64 of 32 bytes" items; the first encrypts what is sent. Empty: it is not encrypted.
EVENT_ENCRYPTION_KEYS = items("EVENT_ENCRYPTION_KEYS", [])
# Host names, addresses and networks that webhooks may reach although they are not public, or by plain http.
WEBHOOK_ALLOW = items("WEBHOOK_ALLOW", [])

# --- Identity --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "board"
LOGOUT_REDIRECT_URL = "board"
AUTHENTICATION_BACKENDS = ["accounts.backends.PasswordBackend", "accounts.roles.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Passwords that a process hashes at one moment (each holds a thread for some 70 ms), and how many more may wait.
HASHES_AT_ONCE = whole("HASHES_AT_ONCE", 2)
HASHES_WAITING = whole("HASHES_WAITING", 4)

# The admin site asks for a code beside the password (`manage.py enroll_admin`).
ADMIN_OTP = flag("ADMIN_OTP", False)
OTP_TOTP_ISSUER = "Live scoreboard"

# Days after which a refusal leaves the audit log.
AUDIT_DAYS = whole("AUDIT_DAYS", 90)

# Seconds that the clocks of two machines may differ: a token is judged by another one than made it.
JWT_LEEWAY = 60
JWT_ACCESS_MINUTES = whole("JWT_ACCESS_MINUTES", 10)
JWT_REFRESH_DAYS = whole("JWT_REFRESH_DAYS", 14)
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=JWT_ACCESS_MINUTES),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=JWT_REFRESH_DAYS),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": env.str("JWT_SIGNING_KEY", "") or SECRET_KEY,
    "AUDIENCE": "scoreboard:api",
    "LEEWAY": JWT_LEEWAY,
}

# Whether players have accounts here, "on", or come from sites with their own users alone, "off".
LOCAL_ACCOUNTS = env.str("LOCAL_ACCOUNTS", "on")

# Who besides signs tokens for a site's own users: a JSON list of issuers (docs/integration.md).
VIEWER_KEYS = env.str("VIEWER_KEYS", "")

# --- Mail: confirming addresses, forgotten passwords --------------------------------------------------

# Such as smtp+tls://user:password@host:587. Unset: the worker prints mails, and no address is asked to be confirmed.
EMAIL_URL = env.str("EMAIL_URL", "")
vars().update(env.email_url_config(EMAIL_URL or "consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("EMAIL_FROM", "") or "Live scoreboard <scoreboard@localhost>"
# Where the links in mails lead, such as https://scores.example.org. Unset: to the host that was asked.
SITE_URL = env.str("SITE_URL", "")

# Who is told of flags as severe as this or more, drift, dead work and a board that Redis does not take.
NOTIFY_EMAILS = items("NOTIFY_EMAILS", [])
NOTIFY_SEVERITY = env.str("NOTIFY_SEVERITY", "high")

# Where to tell of a hole in this site, for /.well-known/security.txt: mailto:… or https://…; empty: no such file.
SECURITY_CONTACT = items("SECURITY_CONTACT", [])

# Whether strangers may sign up here as players: "open" or "closed".
SIGN_UP = env.str("SIGN_UP", "closed")

# --- Actions ---------------------------------------------------------------------------------------

# "kid:algorithm:base64 key" items; the first one signs, all verify. Empty: one key derived from SECRET_KEY.
ACTION_TOKEN_KEYS = items("ACTION_TOKEN_KEYS", [])
ACTION_TOKEN_AUDIENCE = env.str("ACTION_TOKEN_AUDIENCE", "") or "scoreboard:action"
# Redeem what several request threads want at one moment by one statement (actions/batcher.py).
ACTION_GROUP_COMMIT = flag("ACTION_GROUP_COMMIT", True)
# Seconds the `timestamp` of a redemption may differ from the server's clock.
ACTION_TIMESTAMP_WINDOW = whole("ACTION_TIMESTAMP_WINDOW", 300)

# --- Authority: what one person decides alone, in points ----------------------------------------------

# An action type that can give more than this works once a second person has approved it.
APPROVE_TYPE_POINTS = whole("APPROVE_TYPE_POINTS", 1000)
# What one user gives in bonuses within 24 hours; a bonus beyond it waits for a second person.
BONUS_DAILY = whole("BONUS_DAILY", 10_000)

# --- Limits: "<number>/<period>", or "off"; all that concern a request apply together ---------------

LIMITS = {
    "ip": env.str("LIMIT_IP", "600/minute"),  # API requests per address
    "user": env.str("LIMIT_USER", "100/minute"),  # API requests per signed-in user
    "sign-in": env.str("LIMIT_SIGN_IN", "10/minute"),  # per address, API and pages
    "sign-in-account": env.str("LIMIT_SIGN_IN_ACCOUNT", "20/15 minutes"),  # per account, all addresses it does not know
    "sign-up": env.str("LIMIT_SIGN_UP", "10/minute"),  # per address, API and pages
    "password-reset": env.str("LIMIT_PASSWORD_RESET", "10/hour"),  # asked for, per address, API and pages
    "mail": env.str("LIMIT_MAIL", "5/hour"),  # to one mailbox; beyond it none is sent
    "as-of": env.str("LIMIT_AS_OF", "20/minute"),  # boards at past instants per address
    "export": env.str("LIMIT_EXPORT", "10/hour"),  # of one's own data per user, and of whole tables per user or key
    "key": env.str("LIMIT_KEY", "6000/minute"),  # of a new API key that names none of its own
    "actions": env.str(
        "LIMIT_ACTIONS", "100/hour"
    ),  # tokens that a player asks for, of all types together; counted by PostgreSQL
}

# --- Watching: from where on play is flagged for review (docs/security.md); 0 turns a detector off -----

WATCH: dict[str, Any] = {
    "actions_per_minute": whole("WATCH_ACTIONS_PER_MINUTE", 30),  # of one type
    # "TYPE=points" items: the most in a minute for types that the number above does not suit.
    "points_per_minute": amounts("WATCH_POINTS_PER_MINUTE"),
    "regular_run": whole("WATCH_REGULAR_RUN", 30),  # intervals in a row …
    "regular_cv": number("WATCH_REGULAR_CV", 0.12),  # … whose coefficient of variation is at most this
    "regular_long_run": whole("WATCH_REGULAR_LONG_RUN", 150),  # the same of a longer run, over which people …
    "regular_long_cv": number("WATCH_REGULAR_LONG_CV", 0.22),  # … vary more surely
    "instant_run": whole("WATCH_INSTANT_RUN", 12),  # redemptions of a type in a row …
    "instant_seconds": number("WATCH_INSTANT_SECONDS", 1.0),  # … this soon after the first possible instant
    "tireless_hours": whole("WATCH_TIRELESS_HOURS", 22),  # of 24
    "outlier_z": number("WATCH_OUTLIER_Z", 4.0),  # robust standard deviations above the median, log scale
    "outlier_players": whole("WATCH_OUTLIER_PLAYERS", 30),  # fewer active in an hour are no population
    "address_accounts": whole("WATCH_ADDRESS_ACCOUNTS", 5),  # of one address, with alike totals
    "address_crowd": whole("WATCH_ADDRESS_CROWD", 30),  # of one address, however different
    "address_days": whole("WATCH_ADDRESS_DAYS", 7),  # between their sign-ups
    "address_retention_days": whole("WATCH_ADDRESS_RETENTION_DAYS", 30),  # then the address's hash is forgotten
    "bonus_points": whole("WATCH_BONUS_POINTS", 5000),  # to one player, or by one giver: less is not looked at
    "bonus_share": number("WATCH_BONUS_SHARE", 0.5),  # of what a giver gives, to one player
    "bonus_times": number("WATCH_BONUS_TIMES", 10.0),  # what the others give at the median
    "bonus_days": whole("WATCH_BONUS_DAYS", 30),  # looked back
    "hours": whole("WATCH_HOURS", 24),  # looked back
    "players_per_run": whole("WATCH_PLAYERS_PER_RUN", 2000),  # a minute
}

# --- The live board --------------------------------------------------------------------------------

LEADERBOARD_PUBLIC = flag("LEADERBOARD_PUBLIC", True)
LEADERBOARD_PUSH_INTERVAL_MS = whole("LEADERBOARD_PUSH_INTERVAL_MS", 500)
# Seconds after which a viewer that accepts no bytes is closed and its memory freed.
LEADERBOARD_EVICT_SECONDS = number("LEADERBOARD_EVICT_SECONDS", 30.0)
# Live connections one process takes: in all (some 20 KB of memory each), and from one address (0: as many).
LEADERBOARD_MAX_VIEWERS = whole("LEADERBOARD_MAX_VIEWERS", 10_000)
LEADERBOARD_MAX_VIEWERS_PER_ADDRESS = whole("LEADERBOARD_MAX_VIEWERS_PER_ADDRESS", 0)
# Origins other than the site's own whose pages may open the live connection; "*" while the board is public.
LEADERBOARD_ORIGINS = items("LEADERBOARD_ORIGINS", ["*"])
# CSP frame-ancestors of /embed/<board>: which sites may show it in an iframe. An origin named in full is also asked for
# its reader's token.
LEADERBOARD_FRAME_ANCESTORS = items("LEADERBOARD_FRAME_ANCESTORS", ["*"])

# --- HTTP ------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.AccountJWTAuthentication",
        "accounts.authentication.AccountSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.negotiation.JSONOnly",
    "DEFAULT_SCHEMA_CLASS": "api.openapi.ApiSchema",
    "DEFAULT_THROTTLE_CLASSES": ["api.throttles.LimitThrottle"],
    "EXCEPTION_HANDLER": "api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Live scoreboard",
    "DESCRIPTION": (
        "Signed one-time actions in, a ranked live board out. "
        "Unknown fields and unknown query parameters are refused with 400. "
        "Besides what is listed, any path may answer 405 (`method-not-allowed`: Method not allowed) "
        "and 500 (`internal-error`: Something broke on this side)."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    **({"SERVERS": [{"url": SITE_PATH}]} if SITE_PATH else {}),
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    # The one call that takes it says so itself, and what a call says itself drf-spectacular does not look up.
    "APPEND_COMPONENTS": {
        "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
    },
    "COMPONENT_SPLIT_REQUEST": True,  # else the bounds of a text that must not be empty are lost
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,  # they speak to readers of the code
    "PATH_CONVERTER_OVERRIDES": {
        "id": {"type": "string", "format": "uuid"},
        "extension": {"type": "string", "enum": ["csv", "json"]},
        "user": {"type": "string", "format": "user-id", "description": "A user id, or `ext:` and a site's own id."},
        "opaque": {"type": "string", "format": "opaque-id", "minLength": 1, "maxLength": 255},
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "accounts.openapi.one_player",
        "api.openapi_rules.complete",
        "leaderboard.live.openapi.stream",
    ],
}

CORS_ALLOW_ALL_ORIGINS = flag("CORS_ALLOW_ALL_ORIGINS", LEADERBOARD_PUBLIC)
CORS_ALLOWED_ORIGINS = items("CORS_ALLOWED_ORIGINS", [])
# Not for calls that take a password or speak of the person: no page of another origin has any business there.
CORS_URLS_REGEX = r"^/(api/v1/(?!auth/register$|auth/token$|auth/password(/|$)|me(/|$))|static/leaderboard/).*$"
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "if-none-match", "prefer", "traceparent", "x-request-id"]
CORS_EXPOSE_HEADERS = [
    "Date",
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
]

HTTPS = flag("HTTPS", False)

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        # Avatars come from anywhere, those of the demo from this site at one of its addresses.
        "img-src": ["'self'", "https:", "data:", *([] if HTTPS else ["http:"])],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    },
}

SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if SITE_PATH:
    # A browser sends the cookies of "/", too, and of two with one name the server would take the other site's.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = (
        f"{SITE_PATH.strip('/').replace('/', '_')}_{name}" for name in ("sessionid", "csrftoken")
    )
    SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = SITE_PATH
SESSION_COOKIE_HTTPONLY = True  # the CSRF cookie is not: the play page's script sends it back
if TRUSTED_PROXIES > 0:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

STATIC_URL = f"{SITE_PATH}/static/"
STATIC_ROOT = SCOREBOARD_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Served straight from the apps: no collectstatic step between a clone and a running site.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"
USE_TZ = True

# --- Logs ------------------------------------------------------------------------------------------

LOG_LEVEL = choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
LOG_FORMAT = choice("LOG_FORMAT", "json", ["json", "console"])
LOGGING_CONFIG = "api.logs.configure"
# Where traces go, by OTLP over HTTP; unset: there are none. The SDK reads its other OTEL_… variables itself.
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "")
LOGGING: dict[str, Any] = {"level": LOG_LEVEL, "format": LOG_FORMAT, "traces": bool(OTEL_EXPORTER_OTLP_ENDPOINT)}

# Who may read /metrics: addresses and networks, and beside them any client with the token.
METRICS_ALLOW = items("METRICS_ALLOW", ["127.0.0.0/8", "::1"])
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
# The port on which a worker shows its /metrics and answers /healthz, at BIND; 0: none.
WORKER_METRICS_PORT = whole("WORKER_METRICS_PORT", 0)

SILENCED_SYSTEM_CHECKS = [
    "security.W021",  # a place on the browsers' preload list is the domain owner's to ask for, and hard to leave
    "auth.W004",  # the username is unique by an expression index (any capitals), which this check cannot see
]
PASSWORD_HASHERS = [
    "accounts.hashing.ScryptPasswordHasher",
    "accounts.hashing.PBKDF2PasswordHasher",
]
