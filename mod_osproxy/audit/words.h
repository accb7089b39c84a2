/*
 * words.h: the directives that the audit looks at. Every other line of a configuration is passed
 * over.
 */
#ifndef OSP_WORDS_H
#define OSP_WORDS_H

/* clang-format off */
#define OSP_WORDS(X) \
    X(LISTEN, "Listen") X(SERVER_NAME, "ServerName") X(SERVER_ALIAS, "ServerAlias") \
    X(KEEP_ALIVE, "KeepAlive") X(KEEP_ALIVE_TIMEOUT, "KeepAliveTimeout") \
    X(MAX_KEEP_ALIVE_REQUESTS, "MaxKeepAliveRequests") X(TIMEOUT, "Timeout") \
    X(PROXY_TIMEOUT, "ProxyTimeout") X(PROXY_PASS, "ProxyPass") \
    X(PROXY_PASS_MATCH, "ProxyPassMatch") X(PRESERVE_HOST, "ProxyPreserveHost") \
    X(VIA, "ProxyVia") X(ERROR_OVERRIDE, "ProxyErrorOverride") X(PROXY_SET, "ProxySet") \
    X(BALANCER_MEMBER, "BalancerMember") X(PROXY_HTML, "ProxyHTMLEnable") \
    X(SET_OUTPUT_FILTER, "SetOutputFilter") X(ADD_OUTPUT_FILTER, "AddOutputFilter") \
    X(ADD_OUTPUT_FILTER_BY_TYPE, "AddOutputFilterByType") X(FILTER_PROVIDER, "FilterProvider") \
    X(EXT_FILTER_DEFINE, "ExtFilterDefine") X(PAGESPEED, "ModPagespeed") \
    X(HEADER, "Header") X(REQUEST_HEADER, "RequestHeader") X(SET_ENV, "SetEnv") \
    X(SET_ENV_IF, "SetEnvIf") X(SET_ENV_IF_NO_CASE, "SetEnvIfNoCase") \
    X(SET_ENV_IF_EXPR, "SetEnvIfExpr") X(BROWSER_MATCH, "BrowserMatch") \
    X(BROWSER_MATCH_NO_CASE, "BrowserMatchNoCase") X(SET_HANDLER, "SetHandler") \
    X(REWRITE_ENGINE, "RewriteEngine") X(REWRITE_COND, "RewriteCond") \
    X(REWRITE_RULE, "RewriteRule") X(REDIRECT, "Redirect") X(REDIRECT_MATCH, "RedirectMatch") \
    X(REDIRECT_PERMANENT, "RedirectPermanent") X(REDIRECT_TEMP, "RedirectTemp") \
    X(REQUIRE, "Require") X(DENY, "Deny") X(ALLOW_METHODS, "AllowMethods") \
    X(CACHE_ENABLE, "CacheEnable") X(CACHE_DISABLE, "CacheDisable") X(SSL_ENGINE, "SSLEngine") \
    X(CERTIFICATE, "SSLCertificateFile") X(CERTIFICATE_KEY, "SSLCertificateKeyFile") \
    X(CERTIFICATE_CHAIN, "SSLCertificateChainFile") X(SSL_PROXY_ENGINE, "SSLProxyEngine") \
    X(SSL_PROXY_VERIFY, "SSLProxyVerify") X(SSL_PROXY_NAME, "SSLProxyCheckPeerName") \
    X(SSL_PROXY_CN, "SSLProxyCheckPeerCN") X(SSL_PROXY_EXPIRE, "SSLProxyCheckPeerExpire") \
    X(SSL_PROXY_CA, "SSLProxyCACertificateFile") X(SSL_PROXY_CA_PATH, "SSLProxyCACertificatePath") \
    X(PROTOCOLS, "Protocols") X(REMOTE_IP_HEADER, "RemoteIPHeader") \
    X(REMOTE_IP_INTERNAL, "RemoteIPInternalProxy") X(REMOTE_IP_TRUSTED, "RemoteIPTrustedProxy") \
    X(REMOTE_IP_INTERNAL_LIST, "RemoteIPInternalProxyList") \
    X(REMOTE_IP_TRUSTED_LIST, "RemoteIPTrustedProxyList") X(LOG_FORMAT, "LogFormat") \
    X(CUSTOM_LOG, "CustomLog") X(AUTH_TYPE, "AuthType") \
    X(MAX_REQUEST_WORKERS, "MaxRequestWorkers") X(MAX_CLIENTS, "MaxClients") \
    X(THREADS_PER_CHILD, "ThreadsPerChild") X(SERVER_LIMIT, "ServerLimit") \
    X(THREAD_LIMIT, "ThreadLimit") X(WORKER_FACTOR, "AsyncRequestWorkerFactor") \
    X(MAX_SPARE_THREADS, "MaxSpareThreads") X(MAX_SPARE_SERVERS, "MaxSpareServers") \
    X(MAX_PER_CHILD, "MaxConnectionsPerChild") X(MAX_REQUESTS_PER_CHILD, "MaxRequestsPerChild") \
    X(OSP_ENGINE, "OSProxyEngine") X(OSP_RULE, "OSProxyRule") X(OSP_MODULE, "OSProxyModule") \
    X(OSP_DOMAIN, "OSProxyDomain") X(OSP_INTERNAL, "OSProxyInternal") \
    X(OSP_KEEP_ALIVE, "OSProxyKeepAlive") \
    X(IN_LIMIT, "<Limit") X(IN_LIMIT_EXCEPT, "<LimitExcept") X(IN_PROXY, "<Proxy") \
    X(IN_LOCATION, "<Location") X(IN_LOCATION_MATCH, "<LocationMatch")
/* clang-format on */

enum osp_word {
#define OSP_WORD_ID(id, name) OSP_W_##id,
    OSP_WORDS(OSP_WORD_ID)
#undef OSP_WORD_ID
        OSP_W_COUNT
};

/* The word called name in whatever case, OSP_W_COUNT when the audit does not know it. */
enum osp_word osp_word_find(const char *name);

#endif
