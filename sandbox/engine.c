/* The table of engines, and the calls through it. */
#include "sandbox/engine.h"

#include "sandbox/docker.h"
#include "sandbox/engine_driver.h"
#include "server/base/str.h"

static const struct engine_driver *const drivers[] = {
    &docker_driver,
};

struct engine {
    const struct engine_driver *driver;
    void *state;
};

int
engine_new(const char *address, struct engine **ret_engine, struct err *err)
{
    const struct engine_driver *driver = NULL;

    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (str_starts_with(address, drivers[i]->scheme))
            driver = drivers[i];
    }
    if (!driver)
        return err_set(err, ERR_INVALID,
                       "engine address \"%s\": expected unix:///path/of/the/engine.sock", address);
    AUTO(engine_free) struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return err_set(err, ERR_NOMEM, "out of memory");
    engine->driver = driver;
    const int result = driver->open(address, &engine->state, err);
    if (result)
        return result;
    *ret_engine = TAKE(engine);
    return 0;
}

void
engine_free(struct engine *engine)
{
    if (!engine)
        return;
    if (engine->state)
        engine->driver->close(engine->state);
    free(engine);
}

void
engine_heed(struct engine *engine, const struct stop *stop)
{
    engine->driver->heed(engine->state, stop);
}

int
engine_create(struct engine *engine,
              const struct container_spec *spec,
              char **ret_id,
              struct err *err)
{
    return engine->driver->create(engine->state, spec, ret_id, err);
}

int
engine_start(struct engine *engine, const char *id, struct err *err)
{
    return engine->driver->start(engine->state, id, err);
}

int
engine_remove(struct engine *engine, const char *id, struct err *err)
{
    return engine->driver->remove(engine->state, id, err);
}

int
engine_inspect(struct engine *engine,
               const char *id,
               struct container_facts *ret_facts,
               struct err *err)
{
    return engine->driver->inspect(engine->state, id, ret_facts, err);
}

int
engine_list(struct engine *engine,
            const char *instance,
            struct container_list *ret_list,
            struct err *err)
{
    return engine->driver->list(engine->state, instance, ret_list, err);
}

void
container_list_done(struct container_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].id);
        free(list->items[i].instance);
    }
    free(list->items);
    *list = (struct container_list){0};
}
