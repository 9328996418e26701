// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/golden/case.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "ctl/compile/dump.hpp"

namespace penstock::compile::golden {
namespace {

std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, by);) {
        if (!part.empty()) {
            parts.push_back(part);
        }
    }
    return parts;
}

Result<std::vector<IpAddress>> addresses_of(const std::string& text) {
    std::vector<IpAddress> out;
    for (const std::string& part : split(text, ',')) {
        const auto ip = IpAddress::parse(part);
        if (!ip) {
            return Error{.code = Errc::invalid, .what = part + " is no address"};
        }
        out.push_back(*ip);
    }
    return out;
}

Result<std::uint32_t> number_of(const std::string& text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        return Error{.code = Errc::invalid, .what = text + " is no number"};
    }
    return number;
}

Status set_option(Options& options, const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals != std::string::npos ? word.substr(equals + 1) : "";
    if (key == "xdp") {
        options.xdp = value != "off";
        return success();
    }
    if (key == "named") {
        options.names_only_own = value == "own";
        return success();
    }
    if (key == "metrics") {
        options.metrics = Endpoint::parse(value);
        return options.metrics ? success() : Error{.code = Errc::invalid, .what = value + " is no address with a port"};
    }
    for (auto [name, list] : {std::pair("nodes", &options.node_addresses), {"own", &options.own_addresses}}) {
        if (key == name) {
            PST_TRY_ASSIGN(*list, addresses_of(value));
            return success();
        }
    }
    for (auto [name, limit] : {std::pair("listeners_max", &options.limits.listeners_max), {"vips_max", &options.limits.vips_max}}) {
        if (key == name) {
            PST_TRY_ASSIGN(*limit, number_of(value));
            return success();
        }
    }
    return Error{.code = Errc::invalid, .what = "no option: " + word};
}

Status read_directives(Case& out, const std::string& text) {
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line) && line.starts_with("#");) {
        if (line.starts_with("# options: ")) {
            for (const std::string& word : split(line.substr(11), ' ')) {
                PST_TRY(set_option(out.options, word));
            }
        } else if (line.starts_with("# show: ")) {
            out.sections = split(line.substr(8), ' ');
        }
    }
    return success();
}

// The sections of a dump begin with a line of one word.
std::string only_sections(const std::string& dump, const std::vector<std::string>& sections) {
    std::istringstream stream(dump);
    std::string out;
    bool shows = false;
    for (std::string line; std::getline(stream, line);) {
        if (!line.starts_with(' ')) {
            shows = std::find(sections.begin(), sections.end(), line) != sections.end();
        }
        out += shows ? line + "\n" : "";
    }
    return out;
}

}  // namespace

Result<std::string> read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) {
        return Error{.code = Errc::not_found, .what = "read " + path};
    }
    return text.str();
}

void load(model::Store& store, const std::string& text, const std::string& file, std::vector<model::Diagnostic>& diagnostics) {
    model::ParseResult result = model::parse_manifests(text, file);
    std::move(result.diagnostics.begin(), result.diagnostics.end(), std::back_inserter(diagnostics));
    for (const model::ObjectPtr& object : result.objects) {
        auto copy = std::make_shared<model::Object>(*object);
        const auto order = static_cast<std::int64_t>(store.size()) + 1;
        copy->meta.creation_s = copy->meta.creation_s != 0 ? copy->meta.creation_s : order;
        copy->meta.generation = copy->meta.generation != 0 ? copy->meta.generation : 1;
        store.put(std::move(copy));
    }
}

Result<Case> read_case(const std::string& folder, const std::string& name) {
    Case out;
    out.name = name;
    out.options.node_addresses = {IpAddress::v4(0xC0000201)};  // 192.0.2.1
    out.sections = {"listeners", "conditions"};
    PST_TRY_ASSIGN(const std::string base, read_text(folder + "/base.yaml"));
    PST_TRY_ASSIGN(const std::string text, read_text(folder + "/" + name + ".in.yaml"));
    PST_TRY(read_directives(out, text));
    load(out.base, base, "base.yaml", out.diagnostics);
    out.store = out.base;
    load(out.store, text, name + ".in.yaml", out.diagnostics);
    return out;
}

std::string shown(const Case& entry, const Compiled& compiled) {
    std::string out = entry.diagnostics.empty() ? "" : "diagnostics\n";
    for (const model::Diagnostic& diagnostic : entry.diagnostics) {
        out += std::string("  ") + (diagnostic.severity == model::Severity::error ? "error: " : "warning: ") + diagnostic.text() + "\n";
    }
    Compiled without_base = compiled;
    for (const auto& [key, object] : entry.base) {
        without_base.statuses.erase(key);
    }
    return out + only_sections(dump(without_base), entry.sections);
}

}  // namespace penstock::compile::golden
