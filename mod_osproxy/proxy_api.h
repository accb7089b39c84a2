/*
 * proxy_api.h: mod_proxy's interface, referenced weakly.
 *
 * mod_proxy is a module like this one. Were its functions strong references, a LoadModule line
 * above mod_proxy's would end in the linker's "undefined symbol"; as weak ones they are NULL
 * instead, and pre_config can say which line to move (OSP0001). Every function of mod_proxy that
 * this project calls stands here; build/check_symbols.sh fails the build when one is missing.
 */
#ifndef OSP_PROXY_API_H
#define OSP_PROXY_API_H

#include "mod_proxy.h"

#pragma weak proxy_module
#pragma weak ap_proxy_pre_request
#pragma weak ap_proxy_post_request
#pragma weak ap_proxy_check_connection
#pragma weak ap_proxy_define_worker
#pragma weak ap_proxy_initialize_worker
#pragma weak proxy_run_scheme_handler
#pragma weak proxy_hook_pre_request
#pragma weak proxy_hook_scheme_handler

#endif
