"""Names that try to leave their folder, to become SQL, or to match another's; each is refused wherever a name is taken."""

PATHS = (
    "../../x", "..", ".", "/etc/passwd", "a/../b", "a/b/c", "..\\..\\x", "%2e%2e", "%2e%2e/x", "~root", "C:\\x", "a//b", "/", "./x",
    "x/.", "x/..", "\u2025/x", "\uff0e\uff0e/x", "file:///etc/passwd", "\\\\host\\share", "2013-10-01/..", "../2013-10-01",
    "2013-10-01/../../x", "2013-10-01%00", "2013-10-01.", "2013-10-01 ", " 2013-10-01", "2013-10-01\n", "2013-10-01\t", "\t",
)  # fmt: skip
STATEMENTS = (
    "'; drop table x; --", '"; drop table x; --', "') ; copy (select 1) to '/var/pwned'; --", "' or '1'='1", "2013-10-01' or 1=1 --",
    "2013-10-01'; attach '/var/pwned.db'; --", 'x"; install httpfs; load httpfs; --', "1; select 1", "/* */", "--", "'", '"', "`x`",
    "$(touch /var/pwned)", "`touch /var/pwned`", "| touch /var/pwned", "; touch /var/pwned", "&& touch /var/pwned", "${HOME}", "$HOME",
    "{{ 7 * 7 }}", "{% raw %}", "{0.__class__}", "%s", "%(x)s", "__import__('os').system('touch /var/pwned')",
)  # fmt: skip
PATTERNS = (
    "*",
    "?",
    "[ab]",
    "day=[ab]",
    "2013-10-*",
    "2013-10-0[12]",
    "{a,b}",
    "2013-10-??",
    "**",
    "**/*.parquet",
    "2013-1[0-1]-01",
    "+",
    "^",
)
DAYS = (
    "", "2013-1-1", "2013-13-01", "2013-02-30", "2013-00-10", "0000-01-01", "13-10-01", "20131001", "2013/10/01", "01.10.2013", "today",
    "2013-10-01T00:00:00", "2013-10-01+00:00", "-2013-10-01", "+2013-10-01", "2013-10-011", "12013-10-01", "２０１３-10-01", "2013–10–01",
    "2013-W40-2", "2013-274", "NaN", "null", "None", "true", "0", "-1", "1e400", "9999-99-99", "2013-10-01,2013-10-02",
    "2013-10-01...2013-10-02", "2013-10-01|2013-10-02", "١٩٩٩-٠١-٠١",
)  # fmt: skip
ODD = (
    "con", "NUL", "aux.parquet", "a" * 300, "a" * 65_000, "\x00", "a\x00b", "\x1b[31mred", "\u202egnp", "\u200b", "\ufeff", "\U0001f600", "é", "e\u0301",
    "\r\n", "a\rb", "-rf", "--help", "-", "=cmd|' /C calc'!A0", "@SUM(1)", "<script>alert(1)</script>", "&lt;", "\\", "\\u0000", "\\x00",
    "score_date=2013-10-01", "_delta_log", ".hidden", "__pycache__", "x.parquet#1", "x?version=0", "x;y", "x:y", "x,y", "x y",
)  # fmt: skip
HOSTILE = (*PATHS, *STATEMENTS, *PATTERNS, *DAYS, *ODD)
