dnl Macros for building picogrpc itself.  What users of the library need is in
dnl picogrpc.m4.

dnl PGRPC_COMPILER_FLAGS(VARIABLE, FLAGS): substitutes those of FLAGS that the
dnl compiler accepts.
AC_DEFUN([PGRPC_COMPILER_FLAGS], [
    $1=
    pgrpc_save_CFLAGS=$CFLAGS
    for pgrpc_flag in m4_normalize([$2]); do
        AC_MSG_CHECKING([whether $CC accepts $pgrpc_flag])
        CFLAGS="$pgrpc_save_CFLAGS -Werror $pgrpc_flag"
        AC_COMPILE_IFELSE([AC_LANG_PROGRAM],
            [AC_MSG_RESULT([yes])
             $1="$$1${$1:+ }$pgrpc_flag"],
            [AC_MSG_RESULT([no])])
    done
    CFLAGS=$pgrpc_save_CFLAGS
    AC_SUBST([$1])
])

dnl PGRPC_SANITIZERS(LIST): every object and program is built with them, so
dnl they go where the user's own flags go.
AC_DEFUN([PGRPC_SANITIZERS], [
    AS_IF([test "x$1" != xno], [
        AS_IF([test "x$1" = xyes],
            [pgrpc_sanitize=address,undefined], [pgrpc_sanitize=$1])
        pgrpc_flags="-fsanitize=$pgrpc_sanitize -fno-sanitize-recover=all -fno-omit-frame-pointer"
        CFLAGS="$CFLAGS $pgrpc_flags"
        LDFLAGS="$LDFLAGS -fsanitize=$pgrpc_sanitize"
        AC_MSG_CHECKING([whether programs link with -fsanitize=$pgrpc_sanitize])
        AC_LINK_IFELSE([AC_LANG_PROGRAM], [AC_MSG_RESULT([yes])],
            [AC_MSG_RESULT([no])
             AC_MSG_ERROR([$CC cannot link with -fsanitize=$pgrpc_sanitize])])
    ], [pgrpc_sanitize=no])
])

dnl PGRPC_VERSION_SCRIPT: conditional VERSION_SCRIPT when the linker takes one.
AC_DEFUN([PGRPC_VERSION_SCRIPT], [
    AC_MSG_CHECKING([whether the linker takes a version script])
    pgrpc_save_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS -Wl,--version-script=conftest.sym"
    printf '%s\n' 'PICOGRPC_TEST { global: pgrpc_*; local: *; };' >conftest.sym
    AC_LINK_IFELSE([AC_LANG_PROGRAM],
        [pgrpc_version_script=yes], [pgrpc_version_script=no])
    rm -f conftest.sym
    LDFLAGS=$pgrpc_save_LDFLAGS
    AC_MSG_RESULT([$pgrpc_version_script])
    AM_CONDITIONAL([VERSION_SCRIPT], [test "x$pgrpc_version_script" = xyes])
])

dnl PGRPC_THREADS: worker threads and shared channels need POSIX threads.
AC_DEFUN([PGRPC_THREADS], [
    AC_MSG_CHECKING([for the flag of POSIX threads])
    pgrpc_save_CFLAGS=$CFLAGS
    PGRPC_THREAD_FLAGS=unknown
    for pgrpc_flag in -pthread ''; do
        CFLAGS="$pgrpc_save_CFLAGS $pgrpc_flag"
        AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#include <pthread.h>
static void *run(void *arg) { return arg; }]],
            [[pthread_t thread; return pthread_create(&thread, 0, run, 0);]])],
            [PGRPC_THREAD_FLAGS=$pgrpc_flag; break])
    done
    CFLAGS=$pgrpc_save_CFLAGS
    AS_IF([test "x$PGRPC_THREAD_FLAGS" = xunknown],
        [AC_MSG_RESULT([none])
         AC_MSG_ERROR([POSIX threads are missing])])
    AC_MSG_RESULT([${PGRPC_THREAD_FLAGS:-none needed}])
    AC_SUBST([PGRPC_THREAD_FLAGS])
])

dnl PGRPC_LIBRARY(VARIABLE, MODULE, DEBIAN, FEDORA, ALPINE, ARCH): looks for a
dnl library by pkg-config; what is missing is collected, so that one message
dnl names everything.
AC_DEFUN([PGRPC_LIBRARY], [
    PKG_CHECK_MODULES([$1], [$2], [], [
        pgrpc_missing="$pgrpc_missing
  $2: m4_ifval([$3], [$3 (Debian, Ubuntu), $4 (Fedora), $5 (Alpine), $6 (Arch)])"])
])

AC_DEFUN([PGRPC_REPORT_MISSING], [
    AS_IF([test -n "$pgrpc_missing"], [
        AC_MSG_ERROR([these libraries are missing or too old:
$pgrpc_missing

"tools/install-packages build" installs them on Debian and Ubuntu and names
them elsewhere.  A library in a place of its own is found with
PKG_CONFIG_PATH=PREFIX/lib/pkgconfig.])])
])

AC_DEFUN([PGRPC_SUMMARY], [
    AS_IF([test "x$enable_plugin_only" = xyes],
        [pgrpc_what="protoc-gen-picogrpc alone"],
        [pgrpc_what="library and protoc-gen-picogrpc"])
    AS_IF([test "x$with_protoc_gen_picogrpc" = xno],
        [pgrpc_plugin="the one built here"], [pgrpc_plugin=$with_protoc_gen_picogrpc])
    pgrpc_tests=all
    AS_IF([test "x$have_cmocka" = xno], [pgrpc_tests="few: cmocka is missing"],
        [test "x$have_protoc" = xno && test "x$cross_compiling" = xyes],
        [pgrpc_tests="none with generated code: give --with-protoc-gen-picogrpc=PATH"],
        [test "x$have_protoc" = xno],
        [pgrpc_tests="none with generated code: protoc is missing"])
    AC_MSG_NOTICE([

    picogrpc $PACKAGE_VERSION: $pgrpc_what

    prefix:            $prefix
    compiler:          $CC $CFLAGS
    warnings are errors: $enable_werror
    sanitizers:        $pgrpc_sanitize
    shared, static:    $enable_shared, $enable_static
    names by c-ares:   $have_cares (--without-cares)
    tests:             $pgrpc_tests
    plugin that makes their stubs: $pgrpc_plugin
    examples on libuv, GLib: $have_libuv, $have_glib
])
])
