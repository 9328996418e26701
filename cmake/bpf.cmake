# SPDX-License-Identifier: Apache-2.0
# BPF objects: clang for the BPF target, no vmlinux.h, cpu v3 (Linux 5.12) for compare-and-swap.
set(PST_BPF_FLAGS -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror -Wno-address-of-packed-member
    -I${PROJECT_SOURCE_DIR} -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE})

# pst_bpf_object(SOURCE [SKELETON name] [ON_DEMAND]): SOURCE.o in generated/bpf and, if asked for, generated/bpf/NAME.skel.h.
# Target: pst_bpf_object_STEM, part of `all` unless ON_DEMAND.
function(pst_bpf_object source)
    cmake_parse_arguments(ARG "ON_DEMAND" "SKELETON" "" ${ARGN})
    get_filename_component(stem ${source} NAME_WE)
    set(folder ${PROJECT_BINARY_DIR}/generated/bpf)
    set(object ${folder}/${stem}.bpf.o)
    set(input ${CMAKE_CURRENT_SOURCE_DIR}/${source})
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(OUTPUT ${object}
        COMMAND ${CLANG} ${PST_BPF_FLAGS} -MD -MF ${object}.d -MT ${object} -c ${input} -o ${object}
        DEPENDS ${input} DEPFILE ${object}.d COMMENT "BPF ${source}" VERBATIM)
    set(outputs ${object})
    if(ARG_SKELETON)
        set(skeleton ${folder}/${ARG_SKELETON}.skel.h)
        add_custom_command(OUTPUT ${skeleton}
            COMMAND sh -c "${BPFTOOL} gen skeleton ${object} name ${ARG_SKELETON} > ${skeleton}.new && mv ${skeleton}.new ${skeleton}"
            DEPENDS ${object} COMMENT "BPF skeleton ${ARG_SKELETON}" VERBATIM)
        list(APPEND outputs ${skeleton})
    endif()
    set(when ALL)
    if(ARG_ON_DEMAND)
        set(when)
    endif()
    add_custom_target(pst_bpf_object_${stem} ${when} DEPENDS ${outputs})
endfunction()
