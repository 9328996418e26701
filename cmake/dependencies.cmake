# SPDX-License-Identifier: Apache-2.0
# Distribution packages only; nothing is vendored or downloaded. `./dev` installs what is missing.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL 3 REQUIRED)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf>=1.1)
pkg_check_modules(LIBURING REQUIRED IMPORTED_TARGET liburing>=2.3)
pkg_check_modules(LIBMNL REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2>=1.52)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp>=2.5)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
find_path(FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
find_program(FLATC flatc REQUIRED)
find_program(CLANG NAMES clang clang-18 clang-16 clang-14 REQUIRED)
# Ubuntu's /usr/sbin/bpftool looks for one of the running kernel, which a container has not; any will do.
file(GLOB bpftool_homes /usr/lib/linux-tools/*)
find_program(BPFTOOL bpftool HINTS ${bpftool_homes} PATHS /usr/sbin REQUIRED)
# The distribution's interpreter: its packages (pytest, scapy) are those that ./dev installs.
set(PYTHON /usr/bin/python3)

# Catch2: version 2 on Debian 12, version 3 on Ubuntu 24.04.
find_package(Catch2 REQUIRED)
