/*
 * certificate.c: what is in the files that SSLCertificateFile and SSLCertificateKeyFile name: the
 * names (RFC 9525), the days left, whether the key fits, and whether the chain gets to a root.
 *
 * Private keys are read and forgotten; nothing of them is shown. A file is read once, whatever the
 * number of virtual hosts that name it.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"

#include "audit.h"

/* What a file holds, or why it could not be read. */
typedef struct chain {
    STACK_OF(X509) * certificates; /* at least one, or NULL */
    const char *problem;
    int is_read; /* the file could be read, but holds none */
} chain;

static apr_status_t free_stack(void *stack)
{
    sk_X509_pop_free(stack, X509_free);
    return APR_SUCCESS;
}

static apr_status_t free_store(void *store)
{
    X509_STORE_free(store);
    return APR_SUCCESS;
}

static int is_url(const char *path)
{
    return strstr(path, "://") || strncasecmp(path, "pkcs11:", 7) == 0
           || strncasecmp(path, "store:", 6) == 0;
}

/* Without asking anybody for a pass phrase. */
static int no_pass_phrase(char *buffer, int size, int writing, void *encrypted)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(int *)encrypted = 1;
    return -1;
}

static BIO *open_file(apr_pool_t *p, const char *path, const char **problem)
{
    BIO *file;

    if (is_url(path)) {
        *problem = "it is on a token";
        return NULL;
    }
    errno = 0;
    file = BIO_new_file(path, "r");
    if (!file) {
        *problem = apr_psprintf(p, "%s: %s", path, errno ? strerror(errno) : "cannot be opened");
        ERR_clear_error();
    }
    return file;
}

static chain *read_chain(apr_pool_t *p, const char *path, apr_hash_t *seen)
{
    const char *key = apr_pstrcat(p, "certificate ", path, NULL);
    chain *known = apr_hash_get(seen, key, APR_HASH_KEY_STRING);
    X509 *one;
    BIO *file;

    if (known) {
        return known;
    }
    known = apr_pcalloc(p, sizeof *known);
    apr_hash_set(seen, key, APR_HASH_KEY_STRING, known);
    file = open_file(p, path, &known->problem);
    if (!file) {
        return known;
    }
    known->certificates = sk_X509_new_null();
    apr_pool_cleanup_register(p, known->certificates, free_stack, apr_pool_cleanup_null);
    while ((one = PEM_read_bio_X509_AUX(file, NULL, NULL, NULL)) != NULL) {
        sk_X509_push(known->certificates, one);
    }
    ERR_clear_error(); /* the end of the file */
    BIO_free(file);
    if (sk_X509_num(known->certificates) == 0) {
        known->certificates = NULL;
        known->is_read = 1;
        known->problem = apr_psprintf(p, "%s: no certificate in PEM", path);
    }
    return known;
}

/* ---- the parts ----------------------------------------------------------------------------- */

static void read_names(osp_certificate *fact, X509 *leaf, apr_pool_t *p)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    int count = names ? sk_GENERAL_NAME_num(names) : 0, i;

    fact->names = apr_pcalloc(p, sizeof(char *) * (apr_size_t)(count + 1));
    for (i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS) {
            int length = ASN1_STRING_length(name->d.dNSName);
            char *text = apr_pstrmemdup(p, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                                        (apr_size_t)length);

            if ((int)strlen(text) == length) { /* a name with a NUL inside is no name */
                ap_str_tolower(text);
                fact->names[fact->name_count++] = text;
            }
        }
    }
    GENERAL_NAMES_free(names);
}

static int days_until(const ASN1_TIME *when)
{
    int days = 0, seconds = 0;

    if (!ASN1_TIME_diff(&days, &seconds, NULL, when)) {
        return 0;
    }
    return seconds < 0 ? days - 1 : days;
}

static const char *day_of(apr_pool_t *p, const ASN1_TIME *when)
{
    struct tm parts;

    if (!ASN1_TIME_to_tm(when, &parts)) {
        return "an unknown day";
    }
    return apr_psprintf(p, "%04d-%02d-%02d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

static const char *common_name(apr_pool_t *p, const X509_NAME *name)
{
    char text[256];

    if (X509_NAME_get_text_by_NID((X509_NAME *)name, NID_commonName, text, sizeof text) > 0) {
        return apr_pstrdup(p, text);
    }
    return X509_NAME_oneline(name, text, sizeof text) ? apr_pstrdup(p, text) : "its issuer";
}

static int is_issued_by(X509 *certificate, X509 *issuer)
{
    return X509_check_issued(issuer, certificate) == X509_V_OK;
}

/* The roots that this machine trusts, loaded once. */
static X509_STORE *roots(apr_hash_t *seen, apr_pool_t *p)
{
    X509_STORE *store = apr_hash_get(seen, "roots", APR_HASH_KEY_STRING);

    if (!store) {
        store = X509_STORE_new();
        X509_STORE_set_default_paths(store);
        ERR_clear_error();
        apr_pool_cleanup_register(p, store, free_store, apr_pool_cleanup_null);
        apr_hash_set(seen, "roots", APR_HASH_KEY_STRING, store);
    }
    return store;
}

static int is_trusted(const X509_NAME *name, apr_hash_t *seen, apr_pool_t *p)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_OBJECT *found = NULL;

    if (X509_STORE_CTX_init(context, roots(seen, p), NULL, NULL)) {
        found = X509_STORE_CTX_get_obj_by_subject(context, X509_LU_X509, (X509_NAME *)name);
    }
    X509_OBJECT_free(found);
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return found != NULL;
}

/* The issuer that the chain ends at and nobody knows; NULL when it gets to a root. */
static const char *chain_end(const chain *own, const chain *more, apr_hash_t *seen, apr_pool_t *p)
{
    X509 *at = sk_X509_value(own->certificates, 0);
    int steps;

    for (steps = 0; steps < 16; steps++) {
        X509 *next = NULL;
        int i;

        if (is_issued_by(at, at)) {
            return NULL;
        }
        for (i = 0; i < sk_X509_num(own->certificates) && !next; i++) {
            X509 *candidate = sk_X509_value(own->certificates, i);

            next = candidate != at && is_issued_by(at, candidate) ? candidate : NULL;
        }
        for (i = 0; more && more->certificates && i < sk_X509_num(more->certificates) && !next;
             i++) {
            X509 *candidate = sk_X509_value(more->certificates, i);

            next = is_issued_by(at, candidate) ? candidate : NULL;
        }
        if (!next) {
            break;
        }
        at = next;
    }
    return is_trusted(X509_get_issuer_name(at), seen, p) ? NULL
                                                         : common_name(p, X509_get_issuer_name(at));
}

static void check_key(osp_certificate *fact, X509 *leaf, const char *path, apr_hash_t *seen,
                      apr_pool_t *p)
{
    const char *memo = apr_pstrcat(p, "key ", path, " ", osp_line_arg(fact->line, 0), NULL);
    osp_certificate *known = apr_hash_get(seen, memo, APR_HASH_KEY_STRING);
    EVP_PKEY *key = NULL;
    int encrypted = 0;
    BIO *file;

    apr_hash_set(seen, memo, APR_HASH_KEY_STRING, fact);
    if (known) {
        fact->problem = known->problem;
        fact->text = known->text;
        return;
    }
    file = open_file(p, path, &fact->text);
    if (file) {
        key = PEM_read_bio_PrivateKey(file, NULL, no_pass_phrase, &encrypted);
        BIO_free(file);
        fact->text = encrypted ? apr_pstrcat(p, path,
                                             " is encrypted, and httpd asks for its pass "
                                             "phrase at each start",
                                             NULL)
                               : apr_pstrcat(p, path, ": no private key in PEM", NULL);
    }
    if (!key) {
        fact->problem =
            file && !encrypted ? OSP_CERTIFICATE_KEY_NONE : OSP_CERTIFICATE_KEY_UNREADABLE;
    }
    else if (X509_check_private_key(leaf, key) != 1) {
        fact->problem = OSP_CERTIFICATE_KEY_DIFFERS;
    }
    EVP_PKEY_free(key);
    ERR_clear_error();
}

static osp_certificate *examine(const osp_line *line, const osp_line *key, const osp_line *more,
                                apr_hash_t *seen, apr_pool_t *p)
{
    osp_certificate *fact = apr_pcalloc(p, sizeof *fact);
    const char *path = ap_server_root_relative(p, osp_line_arg(line, 0));
    const char *more_path = more ? ap_server_root_relative(p, osp_line_arg(more, 0)) : NULL;
    chain *own = read_chain(p, path ? path : osp_line_arg(line, 0), seen);
    X509 *leaf;

    fact->line = line;
    fact->key_line = key;
    if (!own->certificates) {
        fact->problem = own->is_read ? OSP_CERTIFICATE_NONE : OSP_CERTIFICATE_UNREADABLE;
        fact->text = own->problem;
        return fact;
    }
    leaf = sk_X509_value(own->certificates, 0);
    read_names(fact, leaf, p);
    fact->days_left = days_until(X509_get0_notAfter(leaf));
    fact->expires = day_of(p, X509_get0_notAfter(leaf));
    fact->days_until_valid = days_until(X509_get0_notBefore(leaf));
    fact->chain_ends = chain_end(own, more_path ? read_chain(p, more_path, seen) : NULL, seen, p);
    if (key) {
        path = ap_server_root_relative(p, osp_line_arg(key, 0));
        check_key(fact, leaf, path ? path : osp_line_arg(key, 0), seen, p);
    }
    else {
        check_key(fact, leaf, path, seen, p); /* mod_ssl looks into the certificate's file then */
    }
    return fact;
}

void osp_certificates(osp_facts *facts, osp_server *server, apr_hash_t *seen, apr_pool_t *p)
{
    const osp_line *line, *key, *more = osp_setting(facts, server, OSP_W_CERTIFICATE_CHAIN);
    const osp_server *from = server->first[OSP_W_CERTIFICATE] ? server : facts->main;
    const osp_server *keys = server->first[OSP_W_CERTIFICATE_KEY] ? server : facts->main;
    osp_certificate **end = &server->certificates;

    key = keys->first[OSP_W_CERTIFICATE_KEY];
    for (line = from->first[OSP_W_CERTIFICATE]; line; line = line->next) {
        *end = examine(line, key, more, seen, p);
        end = &(*end)->next;
        key = key ? key->next : NULL; /* the n-th key is the n-th certificate's */
    }
}
