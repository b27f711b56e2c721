"""The environment of a site without rate limits: for tests of something else that ask a lot."""

UNLIMITED = {
    f"LIMIT_{name}": "off"
    for name in ("IP", "USER", "SIGN_IN", "SIGN_IN_ACCOUNT", "SIGN_UP", "ACTIONS", "PASSWORD_RESET", "MAIL", "EXPORT")
}
