/*
 * Replays a corpus with any compiler: hands every file of the directories named on the command line
 * to the fuzz target it is linked with. A directory that is missing or holds no file is a failure.
 */
#include "fuzz.h"

#include <dirent.h>

/* Runs one file in a block of just its size; false when it cannot be read. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0) {
        size = ftell(file);
        rewind(file);
    }
    uint8_t *data = size < 0 ? NULL : malloc(size ? (size_t)size : 1);
    int read = data && fread(data, 1, (size_t)size, file) == (size_t)size;
    if (read) {
        LLVMFuzzerTestOneInput(data, (size_t)size);
    }
    else {
        perror(path);
    }
    free(data);
    if (file) {
        fclose(file);
    }
    return read;
}

/* Returns how many files were run, -1 when one could not be. */
static int replay_directory(const char *name)
{
    DIR *directory = opendir(name);
    struct dirent *entry;
    int files = 0;
    if (!directory) {
        perror(name);
        return -1;
    }
    while (files >= 0 && (entry = readdir(directory))) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        files = replay_file(path) ? files + 1 : -1;
    }
    closedir(directory);
    return files;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s corpus...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        int files = replay_directory(argv[i]);
        if (files <= 0) {
            fprintf(stderr, "%s: no corpus to replay\n", argv[i]);
            return 1;
        }
        printf("fuzz %s: %d files replayed\n", argv[i], files);
    }
    return 0;
}
