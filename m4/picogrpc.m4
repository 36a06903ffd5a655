# picogrpc.m4: macros for projects that use picogrpc.            -*- m4 -*-
#
# In configure.ac:
#
#     PICOGRPC_CHECK([0.1])     dnl sets PICOGRPC_CFLAGS, PICOGRPC_LIBS
#     PICOGRPC_PROTOC           dnl sets PROTOC, PROTOC_GEN_PICOGRPC,
#                               dnl PICOGRPC_GENERATE
#
# In Makefile.am, with one stamp file for each proto, because one run of protoc
# writes four files:
#
#     nodist_greeter_SOURCES = helloworld.pb-c.c helloworld.pgrpc.c
#     greeter_CFLAGS = $(PICOGRPC_CFLAGS)
#     greeter_LDADD = $(PICOGRPC_LIBS)
#     BUILT_SOURCES = helloworld.stamp
#     CLEANFILES = helloworld.stamp helloworld.p*
#
#     helloworld.stamp: helloworld.proto
#             $(PICOGRPC_GENERATE) -I$(srcdir) $(srcdir)/helloworld.proto
#             @touch $@
#     helloworld.pb-c.c helloworld.pgrpc.c: helloworld.stamp

# PICOGRPC_CHECK([MINIMUM-VERSION], [IF-FOUND], [IF-NOT-FOUND])
AC_DEFUN([PICOGRPC_CHECK], [dnl
AC_REQUIRE([PKG_PROG_PKG_CONFIG])dnl
PKG_CHECK_MODULES([PICOGRPC], [picogrpc m4_ifval([$1], [>= $1])], [$2], [$3])dnl
])

# PICOGRPC_PROTOC([IF-FOUND], [IF-NOT-FOUND])
# Looks for protoc and our plugin.  Without IF-NOT-FOUND a missing one is
# an error.
AC_DEFUN([PICOGRPC_PROTOC], [dnl
AC_REQUIRE([PKG_PROG_PKG_CONFIG])dnl
AC_ARG_VAR([PROTOC], [the protobuf compiler])dnl
AC_ARG_VAR([PROTOC_GEN_PICOGRPC], [picogrpc's plugin for protoc])dnl
AC_PATH_PROG([PROTOC], [protoc])
AS_IF([test -z "$PROTOC_GEN_PICOGRPC"], [
    picogrpc_plugin=`$PKG_CONFIG --variable=protoc_gen_picogrpc picogrpc 2>/dev/null`
    AS_IF([test -n "$picogrpc_plugin" && test -x "$picogrpc_plugin"],
        [PROTOC_GEN_PICOGRPC=$picogrpc_plugin])])
AC_PATH_PROG([PROTOC_GEN_PICOGRPC], [protoc-gen-picogrpc])
PICOGRPC_GENERATE='$(PROTOC) --plugin=protoc-gen-picogrpc=$(PROTOC_GEN_PICOGRPC) --picogrpc_out=.'
AC_SUBST([PICOGRPC_GENERATE])dnl
AS_IF([test -n "$PROTOC" && test -n "$PROTOC_GEN_PICOGRPC"],
    [m4_default([$1], [:])],
    [m4_default([$2], [AC_MSG_ERROR([protoc or protoc-gen-picogrpc is missing])])])
])
