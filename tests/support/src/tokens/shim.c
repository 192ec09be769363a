/* A PKCS#11 module in front of another one, SHIM_MODULE, with the faults that devices have.
 *
 * The file SHIM_CONTROL is read at each call, so that a process that runs sees a change. Its lines are NAME=NUMBER:
 *   FUNCTION.delay_us, FUNCTION.hang, FUNCTION.crash, FUNCTION.error   what that function does; error is its code
 *   every        these, flip and bare come with each so-many-th call of their function only
 *   flip         C_Sign returns a wrong signature
 *   bare         C_Sign signs the last 32 bytes of what it is given: the DigestInfo is missing
 *   salt         C_SignInit asks for PSS with a salt that is so many bytes longer
 *   other        C_SignInit takes another private key of the token
 *   stuck        after an error of C_Sign the session still has its operation
 *   sessions     there are so many sessions at most
 *   expire       a generation: with another number all handles are invalid until the next C_Initialize
 *   idle_ms      a session that was not used for so long is invalid
 *   absent       the token is gone
 *   token_flags  C_GetTokenInfo has these flags as well
 *
 * Each call that returns is a line of the file SHIM_CALLS: PROCESS FUNCTION RESULT. One that hangs is a line with `hang`. */
#define _GNU_SOURCE
#define CRYPTOKI_COMPAT
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static CK_FUNCTION_LIST *real, shim;
static unsigned long long generation;

static struct { CK_SESSION_HANDLE handle; long long used; } open_sessions[1024];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned long long control(const char *function, const char *name) {
    char text[4096], wanted[64];
    int file = open(getenv("SHIM_CONTROL"), O_RDONLY | O_CLOEXEC);
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length < 0 ? 0 : length] = 0;
    int size = snprintf(wanted, sizeof wanted, "%s%s=", function, name);
    for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, wanted, size)) return strtoull(line + size, NULL, 0);
    return 0;
}

static CK_RV called(const char *function, CK_RV result) {
    char line[64];
    int length = snprintf(line, sizeof line, "%d %s 0x%lx\n", getpid(), function, result);
    int file = open(getenv("SHIM_CALLS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (write(file, line, length) != length) abort();
    close(file);
    return result;
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Notes that the session `handle` is used now, in the place of `before`, and returns when that was used. */
static long long use(CK_SESSION_HANDLE before, CK_SESSION_HANDLE handle) {
    long long used = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < sizeof open_sessions / sizeof *open_sessions; i++)
        if (open_sessions[i].handle == before) {
            used = open_sessions[i].used;
            open_sessions[i].handle = handle;
            open_sessions[i].used = now();
            break;
        }
    pthread_mutex_unlock(&lock);
    return used;
}

static unsigned count_open(void) {
    unsigned count = 0;
    for (size_t i = 0; i < sizeof open_sessions / sizeof *open_sessions; i++) count += open_sessions[i].handle != 0;
    return count;
}

static CK_RV fault(const char *function, int hit) {
    CK_RV error = hit ? control(function, ".error") : 0;
    usleep(hit ? control(function, ".delay_us") : 0);
    if (hit && control(function, ".crash")) abort();
    if (hit && control(function, ".hang")) {
        called("hang", 0);
        for (;;) pause();
    }
    return error;
}

/* What a call with this session fails with before it is made. */
static CK_RV lost(CK_SESSION_HANDLE session) {
    long long idle = control("", "idle_ms");
    if (control("", "absent")) return CKR_DEVICE_REMOVED;
    if (control("", "expire") != generation) return CKR_SESSION_HANDLE_INVALID;
    if (!idle || now() - use(session, session) <= idle) return CKR_OK;
    use(session, 0); /* the device has closed it */
    return CKR_SESSION_HANDLE_INVALID;
}

/* Whether it is the turn of a fault in this call, the so-many-th. */
static int turn(unsigned call) {
    unsigned long long every = control("", "every");
    return every < 2 || call % every == 0;
}

/* A function that faults and the loss of the token can come to, and that has nothing else here. */
#define FORWARD(name, session, parameters, arguments) \
    static CK_RV name##_ parameters { \
        static unsigned calls; \
        CK_RV result = fault(#name, turn(__sync_add_and_fetch(&calls, 1))); \
        if (!result) result = lost(session); \
        return called(#name, result ? result : real->name arguments); \
    }

FORWARD(C_Login, s, (CK_SESSION_HANDLE s, CK_USER_TYPE u, unsigned char *p, CK_ULONG n), (s, u, p, n))
FORWARD(C_GetSessionInfo, s, (CK_SESSION_HANDLE s, CK_SESSION_INFO *i), (s, i))
FORWARD(C_FindObjectsInit, s, (CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n), (s, t, n))
FORWARD(C_GetAttributeValue, s, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG n), (s, o, t, n))
FORWARD(C_GenerateKeyPair, s, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *p, CK_ULONG pn, CK_ATTRIBUTE *q,
    CK_ULONG qn, CK_OBJECT_HANDLE *pk, CK_OBJECT_HANDLE *qk), (s, m, p, pn, q, qn, pk, qk))
FORWARD(C_GenerateRandom, s, (CK_SESSION_HANDLE s, unsigned char *d, CK_ULONG n), (s, d, n))

static CK_RV C_Initialize_(void *arguments) {
    CK_RV result = fault("C_Initialize", 1);
    if (!result) result = real->C_Initialize(arguments);
    if (!result) generation = control("", "expire");
    return called("C_Initialize", result);
}

static CK_RV C_Finalize_(void *reserved) {
    memset(open_sessions, 0, sizeof open_sessions);
    return called("C_Finalize", real->C_Finalize(reserved));
}

static CK_RV C_GetSlotList_(unsigned char present, CK_SLOT_ID *slots, CK_ULONG *count) {
    CK_RV result = fault("C_GetSlotList", 1);
    if (!result) result = real->C_GetSlotList(present, slots, count);
    if (!result && present && control("", "absent")) *count = 0;
    return called("C_GetSlotList", result);
}

static CK_RV C_GetTokenInfo_(CK_SLOT_ID slot, CK_TOKEN_INFO *info) {
    CK_RV result = control("", "absent") ? CKR_TOKEN_NOT_PRESENT : real->C_GetTokenInfo(slot, info);
    if (!result) info->flags |= control("", "token_flags");
    return called("C_GetTokenInfo", result);
}

static CK_RV C_OpenSession_(CK_SLOT_ID slot, CK_FLAGS flags, void *data, CK_NOTIFY notify, CK_SESSION_HANDLE *handle) {
    unsigned long long most = control("", "sessions");
    CK_RV result = fault("C_OpenSession", 1);
    if (!result && control("", "absent")) result = CKR_TOKEN_NOT_PRESENT;
    if (!result && most && count_open() >= most) result = CKR_SESSION_COUNT;
    if (!result) result = real->C_OpenSession(slot, flags, data, notify, handle);
    if (!result) use(0, *handle);
    return called("C_OpenSession", result);
}

static CK_RV C_CloseSession_(CK_SESSION_HANDLE session) {
    use(session, 0);
    return called("C_CloseSession", real->C_CloseSession(session));
}

static CK_RV C_CloseAllSessions_(CK_SLOT_ID slot) {
    memset(open_sessions, 0, sizeof open_sessions);
    return called("C_CloseAllSessions", real->C_CloseAllSessions(slot));
}

static CK_OBJECT_HANDLE other_key(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE private = {CKA_CLASS, &class, sizeof class};
    CK_OBJECT_HANDLE keys[2] = {key, key};
    CK_ULONG count;
    if (real->C_FindObjectsInit(session, &private, 1) || real->C_FindObjects(session, keys, 2, &count) ||
        real->C_FindObjectsFinal(session))
        abort();
    return keys[0] == key ? keys[1] : keys[0];
}

static CK_RV C_SignInit_(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
    CK_RV result = fault("C_SignInit", 1);
    if (!result) result = lost(session);
    if (!result && control("", "other")) key = other_key(session, key);
    if (!result && mechanism->mechanism == CKM_RSA_PKCS_PSS)
        ((CK_RSA_PKCS_PSS_PARAMS *)mechanism->pParameter)->sLen += control("", "salt");
    return called("C_SignInit", result ? result : real->C_SignInit(session, mechanism, key));
}

static CK_RV C_Sign_(CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG length, unsigned char *signature,
                     CK_ULONG *size) {
    static unsigned calls;
    if (!signature) return real->C_Sign(session, data, length, signature, size); /* asks for the size only */
    int hit = turn(__sync_add_and_fetch(&calls, 1));
    CK_RV result = fault("C_Sign", hit);
    if (!result) result = lost(session);
    if (result && control("", "stuck")) return called("C_Sign", result);
    CK_ULONG bare = hit && control("", "bare") && length > 32 ? length - 32 : 0;
    CK_RV signs = real->C_Sign(session, data + bare, length - bare, signature, size); /* ends the operation */
    if (!result) result = signs;
    if (!result && hit && control("", "flip")) signature[*size / 2] ^= 1;
    return called("C_Sign", result);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
    if (!real) {
        void *module = dlopen(getenv("SHIM_MODULE"), RTLD_NOW | RTLD_LOCAL);
        if (!module) return fprintf(stderr, "%s\n", dlerror()), CKR_GENERAL_ERROR;
        CK_C_GetFunctionList functions = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
        if (!functions || functions(&real)) return CKR_GENERAL_ERROR;
        shim = *real;
        shim.version.major = 2, shim.version.minor = 40;
        shim.C_Initialize = C_Initialize_, shim.C_Finalize = C_Finalize_;
        shim.C_GetFunctionList = C_GetFunctionList;
        shim.C_GetSlotList = C_GetSlotList_, shim.C_GetTokenInfo = C_GetTokenInfo_;
        shim.C_OpenSession = C_OpenSession_, shim.C_CloseSession = C_CloseSession_;
        shim.C_CloseAllSessions = C_CloseAllSessions_, shim.C_GetSessionInfo = C_GetSessionInfo_;
        shim.C_Login = C_Login_, shim.C_FindObjectsInit = C_FindObjectsInit_;
        shim.C_GetAttributeValue = C_GetAttributeValue_, shim.C_GenerateKeyPair = C_GenerateKeyPair_;
        shim.C_GenerateRandom = C_GenerateRandom_, shim.C_SignInit = C_SignInit_, shim.C_Sign = C_Sign_;
    }
    *list = &shim;
    return CKR_OK;
}
