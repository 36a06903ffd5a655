/*
 * The interop client: runs one of the interop cases against the interop server of any language.
 *
 *     client --test_case=NAME [--server_host=HOST] [--server_port=N] [--server_host_override=NAME]
 *            [--use_tls [--use_test_ca --ca_file=FILE]] [--additional_metadata=KEY:VALUE;...]
 *            [--soak_...=N]
 *
 * "--test_case=list" prints the names of the cases for an interop server, "list_negative" those of
 * the cases that need a server of their own (interop/negative).  Exits with 0 when the case passed;
 * otherwise the reason is on stderr.  Every case has a time limit.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "flags.h"
#include "payload.h"

enum {
    MAX_ADDITIONAL = 64,
    MAX_SECONDS = 7 * 24 * 3600,
    MAX_MS = MAX_SECONDS * 1000,
    TARGET_LEN = 300
};

struct settings {
    const char *server_host, *server_host_override, *test_case, *ca_file, *credentials_type,
        *additional_metadata, *service_config_json, *default_service_account, *oauth_scope,
        *service_account_key_file;
    int server_port, server_retry_port;
    bool use_tls, use_test_ca;
    struct soak soak;
    struct backoff backoff;
};

/* --- additional metadata: KEY:VALUE;KEY:VALUE --- */

struct additional {
    char *text;
    struct pgrpc_metadatum entries[MAX_ADDITIONAL];
    size_t count;
};

static int parse_additional(struct additional *additional, const char *text)
{
    additional->text = strdup(text);
    for (char *rest = additional->text, *entry; (entry = strsep(&rest, ";"));) {
        char *value = strchr(entry, ':');
        if (!value || additional->count == MAX_ADDITIONAL)
            return -1;
        *value++ = '\0';
        for (char *c = entry; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        additional->entries[additional->count++] =
            (struct pgrpc_metadatum){entry, value, strlen(value)};
    }
    return additional->text ? 0 : -1;
}

static enum pgrpc_verdict add_metadata(struct pgrpc_call *call, void *userdata)
{
    const struct additional *additional = userdata;
    for (size_t i = 0; i < additional->count; i++) {
        if (pgrpc_call_add_header(call, &additional->entries[i]))
            pgrpc_call_finish(call, PGRPC_INTERNAL, "--additional_metadata: %s",
                              pgrpc_call_error(call));
    }
    return PGRPC_CONTINUE;
}

/* --- cases --- */

static const struct test_case *const plain_cases[] = {
    unary_cases, compressed_cases, stream_cases, ending_cases, pressure_cases, soak_cases, NULL};
static const struct test_case *const special_cases[] = {negative_cases, backoff_cases, NULL};

static const struct test_case *find_case(const struct test_case *const *groups, const char *name)
{
    for (; *groups; groups++) {
        for (const struct test_case *candidate = *groups; candidate->name; candidate++) {
            if (!strcmp(candidate->name, name))
                return candidate;
        }
    }
    return NULL;
}

static const struct test_case *find_any(const char *name)
{
    const struct test_case *found = find_case(plain_cases, name);
    return found ? found : find_case(special_cases, name);
}

/* Cases of the grpc project that this client does not have, and what they lack. */
static const char *not_yet(const char *name)
{
    static const struct {
        const char *name, *lacks;
    } missing[] = {
        {"cacheable_unary", "calls by GET through a caching proxy"},
        {"compute_engine_creds", "call credentials"},
        {"jwt_token_creds", "call credentials"},
        {"oauth2_auth_token", "call credentials"},
        {"per_rpc_creds", "call credentials"},
        {"service_account_creds", "call credentials"},
        {"google_default_credentials", "call credentials"},
        {"compute_engine_channel_credentials", "call credentials"},
        {"pick_first_unary", "a service config"},
        {"orca_per_rpc", "load reports to a balancing policy"},
        {"orca_oob", "load reports to a balancing policy"},
        {"max_concurrent_streams_connection_scaling", "several connections to one address"},
    };
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        if (!strcmp(missing[i].name, name))
            return missing[i].lacks;
    }
    return NULL;
}

static bool list_cases(const char *name)
{
    const struct test_case *const *groups = !strcmp(name, "list")            ? plain_cases
                                            : !strcmp(name, "list_negative") ? special_cases
                                                                             : NULL;
    for (; groups && *groups; groups++) {
        for (const struct test_case *listed = *groups; listed->name; listed++)
            puts(listed->name);
    }
    return groups;
}

static void on_alarm(int signal_number)
{
    static const char text[] = "FAIL: the case takes longer than its time limit\n";
    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_FAILURE);
}

static unsigned limit_s(const struct test_case *chosen, const struct run *run)
{
    const struct soak *soak = &run->soak;
    int64_t flags_s = soak->overall_timeout_s;
    if (chosen->limit_s)
        return (unsigned)chosen->limit_s;
    if (!strcmp(chosen->name, "long_lived_channel"))
        flags_s = (int64_t)soak->iterations * (soak->iteration_interval_s + 1);
    if (!strcmp(chosen->name, "connection_backoff"))
        flags_s = run->backoff.seconds;
    return 60U + (unsigned)(flags_s < MAX_SECONDS ? flags_s : MAX_SECONDS);
}

/* --- flags --- */

/* What is wrong with the settings, or NULL. */
static const char *check(const struct settings *settings)
{
    static char text[200];
    const char *name = settings->test_case, *lacks = not_yet(name);
    if (*settings->credentials_type)
        return "--custom_credentials_type: there are no other credentials than TLS";
    if (settings->use_test_ca && !settings->ca_file)
        return "--use_test_ca needs --ca_file: there is no built-in test CA";
    if (settings->ca_file && !settings->use_test_ca)
        return "--ca_file needs --use_test_ca: without it the system's CAs are trusted";
    if (settings->use_test_ca && !settings->use_tls)
        return "--use_test_ca needs --use_tls";
    if (lacks) {
        snprintf(text, sizeof(text), "--test_case=%s is not built yet: it needs %s", name, lacks);
        return text;
    }
    if (settings->service_config_json)
        return "--service_config_json: service configs are not built yet";
    if (settings->default_service_account || settings->oauth_scope ||
        settings->service_account_key_file)
        return "--default_service_account, --oauth_scope, --service_account_key_file: call "
               "credentials are not built yet";
    if (strcmp(name, "list") != 0 && strcmp(name, "list_negative") != 0 && !find_any(name))
        return "--test_case: there is no such case; --test_case=list and =list_negative name them";
    if (!strcmp(name, "connection_backoff") && !settings->server_retry_port)
        return "connection_backoff needs --server_retry_port";
    if (!strcmp(name, "connection_backoff") && !settings->backoff.seconds)
        return "connection_backoff needs --backoff_seconds above 0";
    return NULL;
}

static int read_settings(struct settings *settings, int argc, char **argv)
{
    struct soak *soak = &settings->soak;
    const struct flag flags[] = {
        {"server_host", FLAG_TEXT, &settings->server_host, 0},
        {"server_port", FLAG_NUMBER, &settings->server_port, 65535},
        {"server_host_override", FLAG_TEXT, &settings->server_host_override, 0},
        {"test_case", FLAG_TEXT, &settings->test_case, 0},
        {"use_tls", FLAG_TRUTH, &settings->use_tls, 0},
        {"use_test_ca", FLAG_TRUTH, &settings->use_test_ca, 0},
        {"ca_file", FLAG_TEXT, &settings->ca_file, 0},
        {"custom_credentials_type", FLAG_TEXT, &settings->credentials_type, 0},
        {"additional_metadata", FLAG_TEXT, &settings->additional_metadata, 0},
        {"service_config_json", FLAG_TEXT, &settings->service_config_json, 0},
        {"default_service_account", FLAG_TEXT, &settings->default_service_account, 0},
        {"oauth_scope", FLAG_TEXT, &settings->oauth_scope, 0},
        {"service_account_key_file", FLAG_TEXT, &settings->service_account_key_file, 0},
        {"server_control_port", FLAG_NUMBER, &settings->server_port, 65535},
        {"server_retry_port", FLAG_NUMBER, &settings->server_retry_port, 65535},
        {"max_reconnect_backoff_ms", FLAG_NUMBER, &settings->backoff.max_ms, MAX_MS},
        {"backoff_seconds", FLAG_NUMBER, &settings->backoff.seconds, MAX_SECONDS},
        {"soak_iterations", FLAG_NUMBER, &soak->iterations, 1 << 24},
        {"soak_max_failures", FLAG_NUMBER, &soak->max_failures, 1 << 24},
        {"soak_per_iteration_max_acceptable_latency_ms", FLAG_NUMBER, &soak->max_latency_ms,
         MAX_MS},
        {"soak_overall_timeout_seconds", FLAG_NUMBER, &soak->overall_timeout_s, MAX_SECONDS},
        {"soak_min_time_ms_between_rpcs", FLAG_NUMBER, &soak->min_ms_between, MAX_MS},
        {"soak_request_size", FLAG_NUMBER, &soak->request_size, PAYLOAD_MAX},
        {"soak_response_size", FLAG_NUMBER, &soak->reply_size, PAYLOAD_MAX},
        {"soak_num_threads", FLAG_NUMBER, &soak->threads, 1000},
        {"iteration_interval", FLAG_NUMBER, &soak->iteration_interval_s, 3600},
    };
    if (flags_parse(flags, sizeof(flags) / sizeof(flags[0]), argc, argv))
        return -1;
    const char *wrong = check(settings);
    if (wrong)
        fprintf(stderr, "%s: %s\n", argv[0], wrong);
    return wrong ? -1 : 0;
}

/* --- the run --- */

static int run_case(struct run *run, const struct settings *settings)
{
    const struct test_case *chosen = find_any(settings->test_case);
    fail_as(chosen->name);
    signal(SIGALRM, on_alarm);
    alarm(limit_s(chosen, run));
    run->channel = open_channel(run, NULL);
    int failed = run->channel ? chosen->run(run) : 1;
    pgrpc_channel_unref(run->channel);
    return failed;
}

static void write_target(char target[TARGET_LEN], const struct settings *settings, int port)
{
    bool bare_ipv6 = strchr(settings->server_host, ':') && settings->server_host[0] != '[';
    snprintf(target, TARGET_LEN, bare_ipv6 ? "[%s]:%d" : "%s:%d", settings->server_host, port);
}

int main(int argc, char **argv)
{
    struct settings settings = {.server_host = "localhost",
                                .server_port = 10000,
                                .test_case = "large_unary",
                                .credentials_type = "",
                                .soak = {.iterations = 10,
                                         .max_latency_ms = 1000,
                                         .overall_timeout_s = 10,
                                         .request_size = LARGE_REQUEST,
                                         .reply_size = LARGE_REPLY,
                                         .threads = 1,
                                         .iteration_interval_s = 10},
                                .backoff = {.seconds = 540}};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct additional additional = {0};
    const struct pgrpc_interceptor adds = {
        .size = sizeof(adds), .on_start = add_metadata, .userdata = &additional};
    struct pgrpc_error error;
    char target[TARGET_LEN], retry_target[TARGET_LEN];
    int failed = 1;
    if (read_settings(&settings, argc, argv))
        return EXIT_FAILURE;
    if (list_cases(settings.test_case))
        return EXIT_SUCCESS;
    write_target(target, &settings, settings.server_port);
    write_target(retry_target, &settings, settings.server_retry_port);
    settings.backoff.target = retry_target;
    struct run run = {.test_case = settings.test_case,
                      .target = target,
                      .authority = settings.server_host_override,
                      .credentials = pgrpc_credentials_insecure(),
                      .soak = settings.soak,
                      .backoff = settings.backoff};
    tls_options.ca_file = settings.use_test_ca ? settings.ca_file : NULL;
    tls_options.server_name = settings.server_host_override;
    if (settings.additional_metadata &&
        parse_additional(&additional, settings.additional_metadata)) {
        fprintf(stderr, "%s: --additional_metadata is KEY:VALUE;KEY:VALUE\n", argv[0]);
        goto out;
    }
    if (additional.count)
        run.interceptor = &adds;
    if (settings.use_tls && pgrpc_credentials_new_tls_client(&tls_options, &tls, &error)) {
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
        goto out;
    }
    if (tls)
        run.credentials = tls;
    failed = run_case(&run, &settings);
    if (!failed)
        fprintf(stderr, "PASS %s\n", settings.test_case);
out:
    pgrpc_credentials_unref(tls);
    free(additional.text);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
