"""A player on the session's D-Bus that plays one track for ever, for Debian's Python with its bindings."""

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

ROOT, PLAYER = "org.mpris.MediaPlayer2", "org.mpris.MediaPlayer2.Player"
TRACK = {
    "mpris:trackid": dbus.ObjectPath("/track/1"),
    "xesam:artist": dbus.Array(["Rick Astley"], signature="s"),
    "xesam:title": "Never Gonna Give You Up",
    "xesam:album": "Whenever",
    "mpris:length": dbus.Int64(213_000_000),
}
PROPERTIES = {
    ROOT: {"Identity": "Test", "CanQuit": False, "CanRaise": False, "HasTrackList": False},
    PLAYER: {
        "PlaybackStatus": "Playing",
        "Metadata": dbus.Dictionary(TRACK, signature="sv"),
        "Position": dbus.Int64(0),
        "Rate": 1.0,
        "Volume": 1.0,
        "CanControl": True,
    },
}


class Player(dbus.service.Object):
    """The player."""

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
    def Get(self, interface, name):  # noqa: N802
        """Return one property."""
        return PROPERTIES[interface][name]

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):  # noqa: N802
        """Return all properties."""
        return PROPERTIES[interface]


DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
name = dbus.service.BusName("org.mpris.MediaPlayer2.test", bus)
player = Player(bus, "/org/mpris/MediaPlayer2")
GLib.MainLoop().run()
