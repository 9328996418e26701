// SPDX-License-Identifier: Apache-2.0
// The one include of a test: Catch2 of either major version.
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
