# SPDX-License-Identifier: Apache-2.0
# Language level, warnings, sanitizers: what every user space target is built with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 17)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE)
    # The build folder's place must not spoil hits between checkouts.
    set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
        CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

add_compile_options(-Wall -Wextra -Wshadow -Werror)
# A designated initializer says which members it sets; those that it leaves out are value-initialized on purpose.
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wconversion> $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fcoroutines>)
    # GCC 12 reports false positives of these inside its own standard library at -O2.
    add_compile_options(-Wno-error=maybe-uninitialized -Wno-error=stringop-overflow -Wno-error=array-bounds
                        -Wno-error=restrict -Wno-error=stringop-overread)
endif()
if(PST_SANITIZE)
    add_compile_options(-fsanitize=${PST_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=function>)  # clang 14 cannot put it into coroutines
    endif()
    add_link_options(-fsanitize=${PST_SANITIZE})
endif()
if(PST_FUZZ)
    # Coverage of the libraries guides the fuzzers; only the fuzzers link its runtime.
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# Archives name their objects instead of holding them once more: with sanitizers that is more than a gigabyte.
set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> qcT <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_C_ARCHIVE_CREATE "${CMAKE_CXX_ARCHIVE_CREATE}")
