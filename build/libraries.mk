# The libraries of mod_osproxy/parse and of certificates: what is linked, and what a compiler needs
# to find their headers. Included by Makefile, test/unit/unit.mk and test/fuzz/fuzz.mk.
# libcrypto: MD5, certificates; jansson: manifests; libxml2: pages; zlib, brotli: content codings. libcurl
# is loaded when it is needed (mod_osproxy/watch/probe.c).

LIBRARIES := -lcrypto -ljansson -lxml2 -lz -lbrotlidec
# A system folder, so that warnings stay ours. Without pkg-config the compiler names what is missing.
LIBRARY_INCLUDES := $(patsubst -I%,-isystem %,$(filter-out -I/usr/include, \
	$(shell pkg-config --cflags libxml-2.0 2>/dev/null)))
