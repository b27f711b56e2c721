"""How the admin site writes times (FORMAT_MODULE_PATH): what happened within one second has an order, too."""

DATETIME_FORMAT = "Y-m-d H:i:s.u"
