/* See app.h. */
#include "handlers/app.h"

#include "server/service.h"

void
app_wake(const struct app *app)
{
    service_wake(app->sender);
    for (size_t i = 0; app->workers && app->workers[i]; i++)
        service_wake(app->workers[i]);
}
