"""Configurations made worse at random: lines lost, doubled, moved; words cut, swapped, replaced."""
WORDS = """On Off None "" \\ " ' ! * / // . .. - = | ^ ( (a [ ] [P] [P,L] [F] { } $ $1 $99 %% %{X}
    ${NOTHING} ${CERTS} balancer://apps balancer:// http:// http://: http://[ http://[::1 https://x
    http://10.0.0.11 http://10.0.0.11:99999/x http://h:0 h2c://h unix:/s|http://h proxy:http:// 0 -1
    99999999999999999999 1ms 0x10 *:443 *:0 [::]:443 _default_ _default_:* :: a.*.b *.* .example.com
    xn--bcher-kva.example ttl= ttl=-1 timeout=1ms stickysession= nocanon /MyApp /MyApp/ ^/MyApp(.*)$
    ^(((( (?i)^/x (?=/|$) \\d+ always set unset edit edit* Set-Cookie HttpOnly expr=%{X} PATCH all
    denied granted reactive traditional off report enforce default-ports consoles keep-alive""".split()
LINES = [
    "ProxyPass / !", "ProxyPass / http://10.0.0.11/", "OSProxyRule via off \"because\"",
    "OSProxyModule MyApp mobile", "OSProxyDomain a.example.com b.example.com", "<Location />",
    "</Location>", "<If \"true\">", "</If>", "<VirtualHost *:443>", "</VirtualHost>",
    "<LimitExcept GET>", "</LimitExcept>", "Require all denied", "OSProxyEngine Report",
    "ServerAlias * ?", "RewriteEngine On", "RewriteCond %{HTTPS} off", "RewriteRule ^/(.*)$ - [F]",
    "RewriteRule ^/(.*)$ http://h/$1 [P]", "Header set Host x", "SetHandler proxy:http://h",
    "BalancerMember http://10.0.0.12:81 ttl=900", "ProxySet ttl=500", "CacheEnable disk /",
    "<Proxy balancer://apps>", "</Proxy>", "Redirect gone /MyApp", "\\", "# \\",
    "SSLProxyVerify none", "RemoteIPHeader X", "ProxyPassMatch ^/(a|b)(.*)$ http://h/$1$2",
    "Define A ${A}", "LogFormat \"%{X-Forwarded-For}i\" x", "Protocols h2 h2c",
]


def _words(line, random):
    lead = line[:len(line) - len(line.lstrip())]
    words = line.split()
    at = random.randrange(len(words)) if words else 0
    kind = random.randrange(6)
    if not words or kind == 0:
        words.insert(at, random.choice(WORDS))
    elif kind == 1:
        words[at] = random.choice(WORDS)
    elif kind == 2:
        del words[at]
    elif kind == 3:
        words[at] = words[at][:random.randrange(len(words[at]) + 1)]
    elif kind == 4:
        other = random.randrange(len(words))
        words[at], words[other] = words[other], words[at]
    else:
        words[at] += random.choice(WORDS)
    return lead + " ".join(words)


def _bytes(line, random):
    at = random.randrange(len(line) + 1)
    return line[:at] + random.choice(["\x01", "\u00fc", "\x7f", "\t", "\u2028", "'", '"', "\\",
                                      "x" * 300, "/" * 50, "%", "*"]) + line[at:]


def mutate(text, random):
    """The text with one to three changes. Directives make errors; most of what is left passes."""
    lines = text.splitlines()
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(lines))
        kind = random.choice("wwwwwdlilib")
        if kind == "w":
            lines[at] = _words(lines[at], random)
        elif kind == "d" and len(lines) > 1:
            del lines[at]
        elif kind == "l":
            lines.insert(random.randrange(len(lines)), lines[at])
        elif kind == "i":
            lines.insert(at, random.choice(LINES))
        else:
            lines[at] = _bytes(lines[at], random)
    return "\n".join(lines) + "\n"
