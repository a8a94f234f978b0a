/* potluck export DIR [options]: see usage_text. All weights are loaded and checked before the first
 * file is written; each file is replaced durably; a file that exists is never overwritten unasked.
 */
#include "app/cmd_export.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/model_source.h"
#include "app/optread.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "engine/gguf_export.h"
#include "engine/hf_export.h"

enum { MAX_FILES = 8, NAME_CAP = 40 };

struct options {
    const char *dir;
    const char *from;
    const char *home;
    bool is_gguf;
    enum dtype type;
    bool is_forced;
    bool is_json;
};

#define NAME "potluck export"

static const char usage_text[] =
    "Usage: potluck export DIR [options]\n"
    "Write the model into the folder DIR, as files that other programs read.\n"
    "\n"
    "  --format hf|gguf  hf (default): config.json, model.safetensors, tokenizer.json and more, "
    "for\n"
    "                    transformers; gguf: one file, for llama.cpp and what is built on it\n"
    "  --type TYPE       f32 (default: nothing is rounded), bf16, f16; with gguf also q8_0\n"
    "  --from SOURCE     a Hugging Face folder, a folder of potluck train, an aggregator's home "
    "or\n"
    "                    checkpoint file, a contributor's home (default: the run joined here)\n"
    "  --home DIR        the contributor's home (or POTLUCK_HOME)\n"
    "  --force           overwrite files of an earlier export\n"
    "  --json            answer with one JSON object\n"
    "  --help\n"
    "\n"
    "Examples:\n"
    "  potluck export my-model\n"
    "  potluck export my-model --type bf16 --from my-run\n"
    "  potluck export my-model --format gguf --type q8_0\n";

enum { OPT_FORMAT = 1, OPT_TYPE, OPT_FROM, OPT_HOME, OPT_FORCE, OPT_JSON, OPT_HELP };

static const struct option longs[] = {
    {"format", required_argument, NULL, OPT_FORMAT},
    {"type",   required_argument, NULL, OPT_TYPE  },
    {"from",   required_argument, NULL, OPT_FROM  },
    {"home",   required_argument, NULL, OPT_HOME  },
    {"force",  no_argument,       NULL, OPT_FORCE },
    {"json",   no_argument,       NULL, OPT_JSON  },
    {"help",   no_argument,       NULL, OPT_HELP  },
    {NULL,     0,                 NULL, 0         },
};

static bool set_format(struct options *o, const char *text)
{
    o->is_gguf = strcmp(text, "gguf") == 0;
    return o->is_gguf || strcmp(text, "hf") == 0;
}

/* 0 go on, 1 done (help), 2 usage. */
static int read_options(int argc, char **argv, struct options *o)
{
    struct err e = {0};
    int c;
    opterr = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread */
    while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
        switch (c) {
        case OPT_FORMAT:
            if (!set_format(o, optarg)) return optread_usage(NAME, "--format wants hf or gguf");
            break;
        case OPT_TYPE:
            o->type = dtype_find(optarg);
            if (!o->type) return optread_usage(NAME, "--type wants f32, bf16, f16 or q8_0");
            break;
        case OPT_FROM: o->from = optarg; break;
        case OPT_HOME: o->home = optarg; break;
        case OPT_FORCE: o->is_forced = true; break;
        case OPT_JSON: o->is_json = true; break;
        case OPT_HELP: fputs(usage_text, stdout); return 1;
        default: (void)optread_fault(c, argv, longs, NAME, &e); return optread_told(NAME, &e);
        }
    }
    if (optind >= argc) return optread_usage(NAME, "name the folder to write into");
    if (optind + 1 < argc) return optread_usage(NAME, "only one folder can be written");
    if (o->type == DTYPE_Q8_0 && !o->is_gguf)
        return optread_usage(NAME, "q8_0 needs --format gguf");
    o->dir = argv[optind];
    return *o->dir ? 0 : optread_usage(NAME, "name the folder to write into");
}

/* ---- where to ---- */

static int join(char dst[PATH_CAP], const char *dir, const char *name, struct err *e)
{
    if (path_format(dst, "%s/%s", dir, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", dir);
}

struct files {
    uint32_t n;
    char name[MAX_FILES][NAME_CAP];
};

static void list_files(const struct options *o, struct files *f)
{
    static const char *const hf[] = {"model.safetensors", "config.json",
                                     "tokenizer.json",    "tokenizer_config.json",
                                     "README.md",         "generation_config.json"};
    f->n = 0;
    if (o->is_gguf)
        snprintf(f->name[f->n++], NAME_CAP, "model-%s.gguf", dtype_name(o->type));
    else
        for (size_t i = 0; i < sizeof hf / sizeof *hf; i++)
            snprintf(f->name[f->n++], NAME_CAP, "%s", hf[i]);
}

/* Nothing of a person's is overwritten: neither a model without --force, nor a run ever. */
static int check_folder(const struct options *o, const struct files *f, struct err *e)
{
    static const char *const working[] = {"state",       "train.lock",
                                          "run.potluck", "checkpoints",
                                          "current",     "model.safetensors.index.json"};
    char path[PATH_CAP];
    for (size_t i = 0; i < sizeof working / sizeof *working; i++) {
        if (join(path, o->dir, working[i], e)) return ERR_LIMIT;
        if (!file_exists(path)) continue;
        err_set(e, ERR_WRONG_STATE, 0, "'%.100s' is in use for something else (it holds %s)",
                o->dir, working[i]);
        err_hint(e, "choose another folder");
        return ERR_WRONG_STATE;
    }
    for (uint32_t i = 0; i < f->n && !o->is_forced; i++) {
        if (join(path, o->dir, f->name[i], e)) return ERR_LIMIT;
        if (!file_exists(path)) continue;
        err_set(e, ERR_WRONG_STATE, 0, "'%.100s' holds a %s already", o->dir, f->name[i]);
        err_hint(e, "choose another folder, or add --force to overwrite it");
        return ERR_WRONG_STATE;
    }
    return OK;
}

/* ---- writing ---- */

static int write_gguf(const struct options *o, const struct files *f, struct model_source *s,
                      const struct hf_export *h, struct err *e)
{
    char path[PATH_CAP], readme[PATH_CAP];
    const struct model_card *card = model_source_card(s);
    const struct gguf_export x = {.config = h->config,
                                  .table = h->table,
                                  .params = h->params,
                                  .type = o->type,
                                  .ids = h->ids,
                                  .tokenizer = h->tokenizer,
                                  .name = card->name,
                                  .description = card->note};
    int rc = join(path, o->dir, f->name[0], e);
    if (rc == OK) rc = join(readme, o->dir, "README.md", e);
    if (rc == OK) rc = gguf_export_write(&x, path, e);
    if (rc == OK && (o->is_forced || !file_exists(readme)))
        rc = hf_export_card(h, o->dir, f->name[0], dtype_name(o->type), e);
    return rc;
}

static int write_all(const struct options *o, const struct files *f, struct model_source *s,
                     float *params, struct err *e)
{
    struct hf_export x = {.config = model_source_config(s),
                          .table = model_source_table(s),
                          .params = params,
                          .type = o->type,
                          .tokenizer_config = model_source_tokenizer_config(s)};
    int rc = model_source_tokenizer(s, &x.tokenizer, e);
    x.ids = *model_source_ids(s);
    if (rc == OK) rc = model_source_load(s, params, e);
    if (rc == OK) rc = file_mkdirs(o->dir, e);
    if (rc == OK) model_source_ask_host(s);
    x.card = model_source_card(s);
    if (rc == OK) rc = o->is_gguf ? write_gguf(o, f, s, &x, e) : hf_export_write(&x, o->dir, e);
    if (rc == ERR_IO && e->sys == ENOSPC)
        err_hint(e, "the disk is full: free some space, or choose another folder");
    else if (rc == ERR_IO && (e->sys == EACCES || e->sys == EPERM || e->sys == EROFS))
        err_hint(e, "choose a folder that you may write into");
    return rc;
}

/* ---- telling ---- */

static uint64_t bytes_of(const struct options *o, const struct files *f)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        char path[PATH_CAP];
        struct stat st;
        if (join(path, o->dir, f->name[i], NULL) == OK && stat(path, &st) == 0)
            n += (uint64_t)st.st_size;
    }
    return n;
}

static int tell_json(const struct options *o, const struct files *f, const struct model_source *s,
                     const float *params, struct err *e)
{
    char hex[HASH_HEX];
    struct hash h = model_hash(model_source_table(s), params);
    struct buf b = {0};
    json_t *list = json_array();
    for (uint32_t i = 0; i < f->n; i++)
        json_array_append_new(list, json_string(f->name[i]));
    json_t *v = json_object();
    json_set_text(v, "dir", o->dir);
    json_set_text(v, "format", o->is_gguf ? "gguf" : "hf");
    json_set_text(v, "type", dtype_name(o->type));
    json_set_u64(v, "n_params", model_source_table(s)->n_params);
    json_set_u64(v, "bytes", bytes_of(o, f));
    json_set_text(v, "model_sha256", hash_hex(&h, hex));
    json_object_set_new(v, "files", list);
    int rc = json_write(v, &b, e);
    json_decref(v);
    if (rc == OK) puts(buf_str(&b));
    buf_deinit(&b);
    return rc;
}

static void tell(const struct options *o, const struct files *f, const struct model_source *s)
{
    printf("%s: %.3g million parameters as %s, %.3g MB, from %s\n", o->dir,
           (double)model_source_table(s)->n_params / 1e6, dtype_name(o->type),
           (double)bytes_of(o, f) / 1e6, model_source_path(s));
    if (o->is_gguf)
        printf("llama.cpp opens it: llama-cli -m %s/%s\n", o->dir, f->name[0]);
    else
        printf("transformers opens it: AutoModelForCausalLM.from_pretrained(\"%s\")\n", o->dir);
}

int cmd_export(int argc, char **argv)
{
    struct options o = {.type = DTYPE_F32};
    int done = read_options(argc, argv, &o);
    if (done) return done == 1 ? 0 : done;
    struct err e = {0};
    struct files f;
    struct model_source *s = NULL;
    float *params = NULL;
    list_files(&o, &f);
    int rc = check_folder(&o, &f, &e);
    if (rc == OK) rc = model_source_open(o.from, o.home, &s, &e);
    if (rc == OK) {
        uint64_t n = model_source_table(s)->n_params;
        params = alloc_aligned((size_t)n, sizeof *params);
        if (!params)
            rc = err_set(&e, ERR_NOMEM, 0, "the model needs %.3g GB of memory, which is not there",
                         (double)n * 4e-9);
    }
    if (rc == OK) rc = write_all(&o, &f, s, params, &e);
    if (rc == OK && o.is_json) rc = tell_json(&o, &f, s, params, &e);
    if (rc == OK && !o.is_json) tell(&o, &f, s);
    free(params);
    model_source_close(s);
    return rc == OK ? 0 : optread_fail(NAME, &e);
}
