/* Any bytes as a page: what links.h promises. Also that a second reading finds the same. */
#include "fuzz.h"

#include "parse/links.h"

typedef struct heard {
    unsigned count, bases;
    size_t bytes;
} heard;

static void hear(void *baton, enum osp_link_kind kind, osp_span reference)
{
    heard *all = baton;
    PROMISE(kind <= OSP_LINK_BASE && reference.p);
    all->count++;
    all->bases += kind == OSP_LINK_BASE;
    for (size_t i = 0; i < reference.n; i++) {
        all->bytes += 1 + (unsigned char)reference.p[i];
    }
}

static heard read_page(osp_span page, osp_links *out)
{
    heard all = {0, 0, 0};
    PROMISE(osp_links_read(page, hear, &all, out));
    PROMISE(all.count == out->references && all.count <= OSP_LINKS_REFERENCES);
    PROMISE(all.bases <= 1);
    PROMISE(!(out->signs & ~7u));
    return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    osp_span page = {(const char *)data, size};
    osp_links out, again;
    heard all = read_page(page, &out), same = read_page(page, &again);
    PROMISE(all.bytes == same.bytes && all.count == same.count && out.signs == again.signs);
    PROMISE(out.cut == again.cut);
    return 0;
}
