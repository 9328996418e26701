# SPDX-License-Identifier: Apache-2.0
# A folder is a module: its *.cpp make one static library, its *_test.cpp one test program, its *_fuzz.cpp a fuzzer each.

# `programs` builds what is installed, `fuzzers` what PST_FUZZ adds.
add_custom_target(programs)
add_custom_target(fuzzers)

# pst_module(NAME [LINK libraries...]): call it from the module's own folder. The target is pst_NAME.
function(pst_module name)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.cpp)
    file(GLOB tests CONFIGURE_DEPENDS *_test.cpp)
    file(GLOB fuzzers CONFIGURE_DEPENDS *_fuzz.cpp)
    file(GLOB mains CONFIGURE_DEPENDS *_main.cpp)
    list(REMOVE_ITEM sources ${tests} ${fuzzers} ${mains} "")

    if(sources)
        add_library(pst_${name} STATIC ${sources})
        set(scope PUBLIC)
    else()
        add_library(pst_${name} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(pst_${name} ${scope} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
    target_link_libraries(pst_${name} ${scope} ${ARG_LINK})
    if(tests)
        pst_unit_tests(${name} ${tests})
    endif()
    foreach(fuzzer ${fuzzers})
        pst_fuzzer(${name} ${fuzzer})
    endforeach()
endfunction()

# One program for the folder, one ctest entry per file: unit.ctl.plan.diff is ctl/plan/diff_test.cpp.
function(pst_unit_tests name)
    add_executable(test_${name} ${ARGN})
    target_link_libraries(test_${name} PRIVATE pst_${name} pst_test_main)
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    string(REPLACE "/" "." prefix ${folder})
    foreach(test ${ARGN})
        get_filename_component(stem ${test} NAME_WE)
        string(REGEX REPLACE "_test$" "" short ${stem})
        add_test(NAME unit.${prefix}.${short} COMMAND test_${name} --filenames-as-tags "[#${stem}]"
                 WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
        set_tests_properties(unit.${prefix}.${short} PROPERTIES LABELS unit SKIP_RETURN_CODE 77 TIMEOUT 300)
    endforeach()
endfunction()

# A fuzzer is a libFuzzer program: clang and PST_FUZZ only.
function(pst_fuzzer name source)
    if(NOT PST_FUZZ)
        return()
    endif()
    get_filename_component(stem ${source} NAME_WE)
    add_executable(${stem} ${source})
    target_link_libraries(${stem} PRIVATE pst_${name})
    add_dependencies(fuzzers ${stem})
    target_compile_options(${stem} PRIVATE -fsanitize=fuzzer)
    target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
    # x_fuzz.dict beside x_fuzz.cpp has the words of what it reads.
    cmake_path(REPLACE_EXTENSION source dict OUTPUT_VARIABLE words)
    if(EXISTS ${words})
        set(words -dict=${words})
    else()
        set(words)
    endif()
    # PST_FUZZ_SECONDS and PST_FUZZ_SEED are read when the test runs; seed 0 is another way through the inputs each time.
    add_test(NAME fuzz.${stem} COMMAND sh -c "exec \"$0\" -seed=\${PST_FUZZ_SEED:-0} -max_total_time=\${PST_FUZZ_SECONDS:-20} -timeout=10 -rss_limit_mb=2048 \"$@\""
             $<TARGET_FILE:${stem}> ${words})
    set_tests_properties(fuzz.${stem} PROPERTIES LABELS fuzz TIMEOUT 600)
endfunction()

# pst_program(NAME SOURCE [LINK libraries...]): an installed binary.
function(pst_program name source)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    add_executable(${name} ${source})
    add_dependencies(programs ${name})
    target_link_libraries(${name} PRIVATE ${ARG_LINK})
    install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# Test main and the precompiled framework, shared by all test programs.
add_library(pst_test_main STATIC ${PROJECT_SOURCE_DIR}/tools/test/main.cpp)
target_include_directories(pst_test_main PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(pst_test_main PUBLIC Catch2::Catch2)
