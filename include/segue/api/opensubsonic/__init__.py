"""What players and media servers ask of a Subsonic server to find music that sounds alike.

Segue streams nothing, so it is no Subsonic server to play from. It answers the calls for similar songs and for an
artist's songs, and those that a client needs before them, as https://opensubsonic.netlify.app describes them.
"""
