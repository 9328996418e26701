// SPDX-License-Identifier: Apache-2.0
// A golden case: a manifest with directives in its leading comments, decoded on top of base.yaml. Objects are as old as their place in
// the text says (the first is the oldest), unless they have a creationTimestamp.
//   # options: nodes=192.0.2.1,2001:db8::1 named=own own=... xdp=off metrics=192.0.2.1:9100 listeners_max=1 vips_max=1
//   # show: addresses edge ports listeners backends trust steering conditions      (default: listeners conditions)
#pragma once

#include <string>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/model/decode.hpp"
#include "userspace/base/result.hpp"

namespace penstock::compile::golden {

struct Case {
    std::string name;   // "listener-kinds", the file's name without ".in.yaml"
    model::Store base;  // what every case has; its conditions are not shown
    model::Store store; // with the base's objects
    std::vector<model::Diagnostic> diagnostics;
    Options options;
    std::vector<std::string> sections;
};

[[nodiscard]] Result<std::string> read_text(const std::string& path);

// Puts the objects of `text` into the store, each younger than the one before. Diagnostics are added.
void load(model::Store& store, const std::string& text, const std::string& file, std::vector<model::Diagnostic>& diagnostics);

[[nodiscard]] Result<Case> read_case(const std::string& folder, const std::string& name);

// What stands in the .want file: diagnostics if there are any, then the sections of the dump that the case shows.
[[nodiscard]] std::string shown(const Case& entry, const Compiled& compiled);

}  // namespace penstock::compile::golden
