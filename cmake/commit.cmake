# SPDX-License-Identifier: Apache-2.0
# Writes the source that says from which commit a build is: cmake -DSOURCE=folder -DOUTPUT=file [-DASK=ON] -P commit.cmake. It is left alone where it
# says so already. Outside a git checkout, or if not asked, the commit is not known.
set(commit "")
if(ASK AND EXISTS ${SOURCE}/.git)
    execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --exclude=* --abbrev=10 OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT commit)
    set(commit unknown)
endif()
set(text "#include \"userspace/base/version.hpp\"\nconst std::string_view penstock::kCommit = \"${commit}\";\n")
set(before "")
if(EXISTS ${OUTPUT})
    file(READ ${OUTPUT} before)
endif()
if(NOT "${text}" STREQUAL "${before}")
    file(WRITE ${OUTPUT} "${text}")
endif()
