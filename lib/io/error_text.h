/* What an errno means for the user of a connection: English whatever the locale, static. */
#ifndef PGRPC__IO_ERROR_TEXT_H
#define PGRPC__IO_ERROR_TEXT_H

/* |error| is positive or negative. */
const char *pgrpc__error_text(int error);

#endif
