"""Emoji by the names that Slack gives them: those that work messages use."""

import re

EMOJI = {
    "+1": "👍", "thumbsup": "👍", "-1": "👎", "thumbsdown": "👎", "wave": "👋", "pray": "🙏",
    "clap": "👏", "ok_hand": "👌", "raised_hands": "🙌", "point_right": "👉", "point_up": "☝️",
    "point_down": "👇", "muscle": "💪", "eyes": "👀", "thinking_face": "🤔", "smile": "😄",
    "slightly_smiling_face": "🙂", "grinning": "😀", "joy": "😂", "blush": "😊", "wink": "😉",
    "cry": "😢", "sob": "😭", "confused": "😕", "worried": "😟", "angry": "😠", "heart": "❤️",
    "tada": "🎉", "sparkles": "✨", "star": "⭐", "fire": "🔥", "rocket": "🚀", "100": "💯",
    "white_check_mark": "✅", "heavy_check_mark": "✔️", "ballot_box_with_check": "☑️", "x": "❌",
    "warning": "⚠️", "no_entry": "⛔", "no_entry_sign": "🚫", "rotating_light": "🚨",
    "question": "❓", "exclamation": "❗", "information_source": "ℹ️", "bulb": "💡", "bell": "🔔",
    "mag": "🔍", "mag_right": "🔎", "lock": "🔒", "unlock": "🔓", "key": "🔑", "gear": "⚙️",
    "wrench": "🔧", "hammer_and_wrench": "🛠️", "link": "🔗", "paperclip": "📎", "pushpin": "📌",
    "page_facing_up": "📄", "page_with_curl": "📃", "memo": "📝", "pencil": "📝", "pencil2": "✏️",
    "books": "📚", "book": "📖", "bookmark": "🔖", "file_folder": "📁", "open_file_folder": "📂",
    "card_index": "📇", "clipboard": "📋", "calendar": "📆", "date": "📅", "spiral_calendar_pad":
    "🗓️", "hourglass": "⌛", "hourglass_flowing_sand": "⏳", "stopwatch": "⏱️", "clock1": "🕐",
    "alarm_clock": "⏰", "arrow_right": "➡️", "arrow_left": "⬅️", "arrow_up": "⬆️",
    "arrow_down": "⬇️", "arrows_counterclockwise": "🔄", "repeat": "🔁", "inbox_tray": "📥",
    "outbox_tray": "📤", "package": "📦", "email": "📧", "envelope": "✉️", "incoming_envelope":
    "📨", "telephone_receiver": "📞", "speech_balloon": "💬", "robot_face": "🤖", "raising_hand":
    "🙋", "bust_in_silhouette": "👤", "busts_in_silhouette": "👥", "office": "🏢", "house": "🏠",
    "globe_with_meridians": "🌐", "large_green_circle": "🟢", "large_yellow_circle": "🟡",
    "large_orange_circle": "🟠", "red_circle": "🔴", "large_blue_circle": "🔵", "white_circle":
    "⚪", "black_circle": "⚫", "chart_with_upwards_trend": "📈", "bar_chart": "📊",
    "recycle": "♻️", "heavy_minus_sign": "➖", "heavy_plus_sign": "➕", "zzz": "💤",
    "wastebasket": "🗑️", "one": "1️⃣", "two": "2️⃣", "three": "3️⃣", "zap": "⚡",
    "ticket": "🎫", "scroll": "📜",
}  # fmt: skip
"""Slack's short names with what is shown for them."""

CODE = re.compile(r":([a-z0-9_+'-]{1,50}):")
CODE_POINTS = re.compile(r"[0-9a-fA-F]{1,6}(-[0-9a-fA-F]{1,6}){0,9}")
LARGEST = 0x10FFFF  # Unicode's last code point


def by_name(name: str, unicode: str = "") -> str | None:
    """Return the characters of an emoji: from Slack's code points (`1f44d-1f3fd`) or its name."""
    if CODE_POINTS.fullmatch(unicode):
        points = [int(point, 16) for point in unicode.split("-")]
        if all(0 < point <= LARGEST for point in points):
            return "".join(map(chr, points))
    return EMOJI.get(name.partition("::")[0])


def with_emoji(text: str) -> str:
    """Return text with the short names that are known replaced; others stay as written."""
    return CODE.sub(lambda match: EMOJI.get(match[1], match[0]), text)
