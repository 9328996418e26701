// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/addresses.hpp"

#include <set>
#include <sstream>

#include "ctl/compile/compile.hpp"
#include "ctl/model/decode.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::compile;

namespace {

constexpr const char* kClass = R"(---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: NAME}
spec: {controllerName: penstock.dev/gateway-controller, parametersRef: {group: "", kind: ConfigMap, name: NAME, namespace: edge}}
)";

std::string replaced(std::string text, const std::string& word, const std::string& by) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + by.size())) {
        text.replace(at, word.size(), by);
    }
    return text;
}

std::string class_of(const std::string& name, const std::string& pool) {
    std::string text = replaced(kClass, "NAME", name);
    return pool == "absent" ? text : text + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: edge}\ndata: {addresses: \"" + pool + "\"}\n";
}

// One entry of spec.addresses: "any", "host" or an address.
std::string address_of(const std::string& word) {
    return word == "any" ? "{type: IPAddress}" : word == "host" ? "{type: Hostname, value: a.example.com}" : "{value: \"" + word + "\"}";
}

// "name@class:port addresses": class "pool" and port 80 if it names none; "parameters" among them: it has some that we do not know.
std::string gateway_of(const std::string& one) {
    std::istringstream words(one);
    std::string name;
    std::string addresses;
    std::string more;
    words >> name;
    for (std::string word; words >> word;) {
        if (word == "parameters") {
            more = "  infrastructure: {parametersRef: {group: \"\", kind: ConfigMap, name: any}}\n";
        } else {
            addresses += (addresses.empty() ? "" : ", ") + address_of(word);
        }
    }
    const std::size_t colon = std::min(name.find(':'), name.size());
    const std::string port = colon == name.size() ? "80" : name.substr(colon + 1);
    name.resize(colon);
    const std::size_t at = std::min(name.find('@'), name.size());
    const std::string of = at == name.size() ? "pool" : name.substr(at + 1);
    name.resize(at);
    return "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: " + name + "}\nspec:\n  gatewayClassName: " + of + "\n" +
           (addresses.empty() ? "" : "  addresses: [" + addresses + "]\n") + more + "  listeners: [{name: http, port: " + port + ", protocol: HTTP}]\n";
}

// The class "pool" with that pool ("absent": without its ConfigMap), "other" with 10.0.1.1 to 3, "none" without one, and Gateways.
model::Store store_of(const std::string& pool, const std::vector<std::string>& gateways) {
    std::string text = class_of("pool", pool) + class_of("other", "10.0.1.1-10.0.1.3");
    text += "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: none}\nspec: {controllerName: penstock.dev/gateway-controller}\n";
    for (const std::string& one : gateways) {
        text += gateway_of(one);
    }
    model::Store store;
    for (const model::ObjectPtr& object : model::parse_manifests(text, "test").objects) {
        store.put(object);
    }
    return store;
}

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

// "a=10.0.0.1 b=- ": who has which, in order of names; "-" with the reason's name if it has none.
std::string who(const Compiled& compiled) {
    std::string out;
    for (const auto& [key, status] : compiled.statuses) {
        const auto* gateway = std::get_if<GatewayStatus>(&status->body);
        if (gateway == nullptr) {
            continue;
        }
        out += key.name + "=";
        for (const StatusAddress& address : gateway->addresses) {
            out += address.value + ",";
        }
        for (const Condition& condition : gateway->conditions) {
            out += condition.type_name() == "Programmed" && !condition.holds() ? std::string(condition.reason_name()) : "";
        }
        out += " ";
    }
    return out;
}

// What its statuses tell to one that begins.
AddressBook told_of(const Compiled& compiled) {
    AddressBook told;
    for (const auto& [key, status] : compiled.statuses) {
        if (const auto* gateway = std::get_if<GatewayStatus>(&status->body)) {
            for (const StatusAddress& address : gateway->addresses) {
                told["Gateway/" + key.ns + "/" + key.name].push_back(ip(address.value.c_str()));
            }
        }
    }
    return told;
}

}  // namespace

TEST_CASE("addresses: a Gateway keeps what its pool gave it, whoever comes and goes") {
    const Compiled first = compile::compile(store_of("10.0.0.1-10.0.0.3", {"b", "c"}), {});
    const std::string held = who(first);
    const Compiled more = compile::compile(store_of("10.0.0.1-10.0.0.3", {"a", "b", "c", "d"}), {}, &first);
    CHECK(who(more).find(held.substr(0, held.size() - 1)) != std::string::npos);
    CHECK(who(more).find("a=10.0.0.") == 0);
    CHECK(who(more).find("d=AddressNotAssigned ") != std::string::npos);
    const Compiled fewer = compile::compile(store_of("10.0.0.1-10.0.0.3", {"c", "d"}), {}, &more);
    CHECK(who(fewer).find(held.substr(held.find("c="))) == 0);
    CHECK(who(fewer).find("d=10.0.0.") != std::string::npos);
}

TEST_CASE("addresses: what is told for all nodes goes before what was given here, as far as the pool and what is asked for go") {
    const Compiled first = compile::compile(store_of("10.0.0.1-10.0.0.3", {"a", "b"}), {});
    struct Row {
        AddressBook told;
        std::vector<std::string> gateways;
        const char* want;
    };
    const Row rows[] = {
        {{{"Gateway/default/a", {ip("10.0.0.3")}}, {"Gateway/default/b", {ip("10.0.0.1")}}}, {"a", "b"}, "a=10.0.0.3, b=10.0.0.1, "},
        {{{"Gateway/default/a", {ip("10.0.0.3")}}, {"Gateway/default/b", {ip("10.0.0.2")}}}, {"a", "b", "c 10.0.0.1"}, "a=10.0.0.3, b=10.0.0.2, c=10.0.0.1, "},
        {{{"Gateway/default/a", {ip("10.9.9.9")}}}, {"a 10.0.0.2"}, "a=10.0.0.2, "},
        {{{"Gateway/default/a", {ip("10.0.0.2")}}, {"Gateway/default/b", {ip("10.0.0.2"), ip("10.0.0.3")}}}, {"a", "b"}, "a=10.0.0.2, b=10.0.0.3, "},
        {{{"Gateway/default/gone", {ip("10.0.0.2")}}, {"Gateway/default/b", {ip("10.0.0.1")}}}, {"b"}, "b=10.0.0.1, "},
    };
    for (const Row& row : rows) {
        const Compiled next = compile::compile(store_of("10.0.0.1-10.0.0.3", row.gateways), {}, &first, &row.told);
        CHECK(who(next) == row.want);
        CHECK(who(compile::compile(store_of("10.0.0.1-10.0.0.3", row.gateways), {}, &next)) == row.want);
    }
    const AddressBook outside{{"Gateway/default/a", {ip("10.9.9.9")}}};
    CHECK(who(compile::compile(store_of("10.0.0.1-10.0.0.3", {"a", "b"}), {}, &first, &outside)) == who(first));
}

TEST_CASE("addresses: one that is given is not taken by who asks for it later, and one that is asked for is not given") {
    const Compiled first = compile::compile(store_of("10.0.0.1", {"given"}), {});
    CHECK(who(first) == "given=10.0.0.1, ");
    CHECK(who(compile::compile(store_of("10.0.0.1", {"asks 10.0.0.1", "given"}), {}, &first)) == "asks=AddressNotUsable given=10.0.0.1, ");
    CHECK(who(compile::compile(store_of("10.0.0.1", {"any", "asks 10.0.0.1"}), {})) == "any=AddressNotAssigned asks=10.0.0.1, ");
}

TEST_CASE("addresses: what was given outlives a restart, and a pool that lost it gives another one") {
    const Compiled first = compile::compile(store_of("10.0.0.1-10.0.0.200", {"a", "b"}), {});
    Compiled restarted;
    auto ids = decode_ids(encode(first.ids));
    REQUIRE(ids.ok());
    restarted.ids = std::move(ids).value();
    CHECK(*restarted.ids.addresses == *first.ids.addresses);
    CHECK(who(compile::compile(store_of("10.0.0.1-10.0.0.200", {"0", "a", "b"}), {}, &restarted)).find(who(first)) != std::string::npos);
    CHECK(who(compile::compile(store_of("10.0.1.1", {"a"}), {}, &first)) == "a=10.0.1.1, ");
}

TEST_CASE("addresses: what a Gateway has and then names stays its own, and of what it had and names no more it keeps one of each family") {
    struct Row {
        const char* pool;
        std::vector<std::string> before;
        std::vector<std::string> after;
        const char* want;
    };
    const Row rows[] = {
        {"10.0.0.1", {"a"}, {"a 10.0.0.1"}, "a=10.0.0.1, "},
        {"10.0.0.1", {"a"}, {"a 10.0.0.1 any"}, "a=10.0.0.1,AddressNotAssigned "},
        {"10.0.0.1", {"a 10.0.0.1"}, {"a"}, "a=10.0.0.1, "},
        {"10.0.0.1-10.0.0.2", {"a 10.0.0.2", "b"}, {"a 10.0.0.2 any", "b"}, "a=10.0.0.2,AddressNotAssigned b=10.0.0.1, "},
        {"10.0.0.1-10.0.0.2", {"a 10.0.0.1 any"}, {"a 10.0.0.1 any"}, "a=10.0.0.1,10.0.0.2, "},
        {"10.0.0.1-10.0.0.2", {"a 10.0.0.1 any"}, {"a any 10.0.0.1"}, "a=10.0.0.1,10.0.0.2, "},
        {"10.0.0.1-10.0.0.3", {"a 10.0.0.2 10.0.0.1 10.0.0.3"}, {"a"}, "a=10.0.0.2, "},
        {"10.0.0.1-10.0.0.2,2001:db8::1-2001:db8::2", {"a 10.0.0.1 10.0.0.2 2001:db8::2 2001:db8::1"}, {"a"}, "a=10.0.0.1,2001:db8::2, "},
        {"10.0.0.1-10.0.0.2", {"a 10.0.0.1", "b 10.0.0.2"}, {"a 10.0.0.2", "b 10.0.0.1"}, "a=10.0.0.2, b=10.0.0.1, "},
        {"10.0.0.1-10.0.0.2", {"a 10.0.0.2", "b 10.0.0.1"}, {"a 10.0.0.1", "b 10.0.0.1"}, "a=AddressNotUsable b=10.0.0.1, "},
    };
    for (const Row& row : rows) {
        const Compiled first = compile::compile(store_of(row.pool, row.before), {});
        const model::Store store = store_of(row.pool, row.after);
        CAPTURE(who(first));
        CHECK(who(compile::compile(store, {}, &first)) == row.want);
        const AddressBook told = told_of(first);
        CHECK(who(compile::compile(store, {}, nullptr, &told)) == row.want);
        CHECK(who(compile::compile(store, {}, &first, &told)) == row.want);
    }
}

TEST_CASE("addresses: a Gateway that is refused for a while gets back what it had, and nobody else has it meanwhile") {
    constexpr const char* kPool = "10.0.0.1-10.0.0.3,2001:db8::1-2001:db8::3";
    const std::vector<std::string> began = {"n", "p 10.0.0.2"};
    const Compiled first = compile::compile(store_of(kPool, began), {});
    const std::string had = who(first);
    struct Row {
        std::vector<std::string> trouble;
        std::string pool;
        const char* want;  // of the trouble
    };
    const std::string n = had.substr(0, had.find(' ') + 1);
    const Row rows[] = {
        {{"n host", "p 10.0.0.2"}, kPool, "n=Invalid p=10.0.0.2, "},
        {{"n parameters", "p 10.0.0.2 parameters"}, kPool, "n=Invalid p=Invalid "},
        {{"n host", "p 10.0.0.2 host"}, "10.0.0.1-10.0.0.x", "n=Invalid p=Invalid "},
    };
    for (const Row& row : rows) {
        Compiled now = compile::compile(store_of(row.pool, row.trouble), {}, &first);
        CHECK(who(now) == row.want);
        std::vector<std::string> crowd = row.trouble;
        crowd.insert(crowd.end(), {"x 10.0.0.2", "y", "z"});
        const AddressBook told = told_of(now);
        now = compile::compile(store_of(kPool, crowd), {}, &now, &told);
        CHECK(who(now).starts_with(row.want));
        CHECK(who(now).find("x=AddressNotUsable") != std::string::npos);
        Compiled restarted;
        restarted.ids = decode_ids(encode(now.ids)).value();
        CHECK(who(compile::compile(store_of(kPool, began), {}, &restarted)) == had);
        CHECK(who(compile::compile(store_of(kPool, {"p 10.0.0.2", "n", "x 10.0.0.2", "y", "z"}), {}, &now)).starts_with(had));
    }
    // It is over when the Gateway goes or moves.
    const Compiled refused = compile::compile(store_of("10.0.0.2", {"p 10.0.0.2 host"}), {}, &first);
    CHECK(who(compile::compile(store_of("10.0.0.2", {"x"}), {}, &refused)) == "x=10.0.0.2, ");
    CHECK(who(compile::compile(store_of("10.0.0.2", {"p@other host", "x"}), {}, &refused)) == "p=Invalid x=10.0.0.2, ");
}

TEST_CASE("addresses: while a pool cannot be read its Gateways go on with what they have, and no other gets any of it") {
    constexpr const char* kPool = "10.0.0.1-10.0.0.9,2001:db8::1-2001:db8::9";
    const std::vector<std::string> began = {"a", "b 10.0.0.2", "c 10.0.0.3 any"};
    const Compiled first = compile::compile(store_of(kPool, began), {});
    const std::string had = who(first);
    const AddressBook told = told_of(first);
    for (const char* broken : {"absent", "", "10.0.0.1-10.0.0.x"}) {
        const Compiled during = compile::compile(store_of(broken, {"a", "b 10.0.0.2", "c 10.0.0.3 any", "new", "named 10.0.0.2"}), {}, &first);
        CHECK(who(during) == had + "named=Invalid new=Invalid ");
        CHECK((during.addresses == first.addresses));
        const auto& accepted = std::get<GatewayStatus>((*during.statuses.get(model::ObjectKey{model::Kind::gateway, "default", "a"}))->body).conditions.front();
        CHECK(accepted.holds());
        CHECK(accepted.message.starts_with("it goes on with the addresses that it has: its GatewayClass is not accepted: "));
        CHECK(who(compile::compile(store_of(broken, began), {}, nullptr, &told)) == had);  // one that begins meanwhile
        CHECK(who(compile::compile(store_of(broken, {"b 10.0.0.4"}), {}, &during)) == "b=Invalid ");
        CHECK(who(compile::compile(store_of(broken, {"b 10.0.0.2 10.0.0.4"}), {}, &during)) == "b=10.0.0.2,AddressNotUsable ");
        const Compiled after = compile::compile(store_of(kPool, {"a", "b 10.0.0.2", "c 10.0.0.3 any", "new"}), {}, &during);
        CHECK(who(after).starts_with(had + "new=10.0.0."));
        CHECK(who(compile::compile(store_of("10.0.1.1", {"a"}), {}, &during)) == "a=10.0.1.1, ");
    }
    const Compiled elsewhere = compile::compile(store_of(kPool, {"a@other"}), {});
    const AddressBook there = told_of(elsewhere);
    CHECK(who(compile::compile(store_of("absent", {"a"}), {}, &elsewhere, &there)) == "a=Invalid ");
    Options options;
    options.node_addresses = {ip("192.0.2.1")};
    const Compiled own = compile::compile(store_of("absent", {"a@none"}), options);
    const AddressBook of_node = told_of(own);
    CHECK(who(compile::compile(store_of("absent", {"a", "b@none"}), options, nullptr, &of_node)) == "a=Invalid b=192.0.2.1, ");
}

TEST_CASE("addresses: no address has two Gateways unless both are without a pool") {
    struct Row {
        const char* pool;
        std::vector<const char*> own;
        std::vector<std::string> before;
        std::vector<std::string> gateways;
        const char* want;
    };
    const Row rows[] = {
        {"10.0.0.1", {}, {}, {"a", "b@none:81 10.0.0.1"}, "a=AddressNotAssigned b=10.0.0.1, "},
        {"10.0.0.1", {}, {}, {"a 10.0.0.1", "b@none:81 10.0.0.1"}, "a=AddressNotUsable b=10.0.0.1, "},
        {"10.0.0.1", {}, {}, {"a@none:81 10.0.0.1", "b@none:82 10.0.0.1"}, "a=10.0.0.1, b=10.0.0.1, "},
        {"10.0.0.1", {"10.0.0.1"}, {}, {"a", "b@none:81", "c@none:82"}, "a=AddressNotAssigned b=10.0.0.1, c=10.0.0.1, "},
        {"10.0.0.1", {"10.0.0.1"}, {}, {"a 10.0.0.1"}, "a=AddressNotUsable "},
        {"10.0.0.8-10.0.0.9", {}, {}, {"a", "b"}, "a=10.0.0.8, b=AddressNotAssigned "},  // the metrics have 10.0.0.9
        {"10.0.0.9", {}, {}, {"a 10.0.0.9"}, "a=AddressNotUsable "},
        // What a Gateway has of a pool stays, also where an interface has it meanwhile.
        {"10.0.0.1", {}, {"a 10.0.0.1"}, {"a 10.0.0.1", "b@none:81 10.0.0.1"}, "a=10.0.0.1, b=AddressNotUsable "},
        {"10.0.0.1-10.0.0.2", {}, {"b 10.0.0.1"}, {"a 10.0.0.1", "b 10.0.0.1"}, "a=AddressNotUsable b=10.0.0.1, "},
        {"10.0.0.1", {}, {"a"}, {"a", "b@none:81 10.0.0.1"}, "a=10.0.0.1, b=AddressNotUsable "},
        {"10.0.0.1", {"10.0.0.1", "192.0.2.1"}, {"a"}, {"a", "b@none:81"}, "a=10.0.0.1, b=192.0.2.1, "},
        {"10.0.0.1", {"10.0.0.1", "192.0.2.1"}, {"a 10.0.0.1"}, {"a 10.0.0.1", "b@none:81"}, "a=10.0.0.1, b=192.0.2.1, "},
    };
    for (const Row& row : rows) {
        Options options;
        options.metrics = Endpoint::parse("10.0.0.9:9650");
        const Compiled first = compile::compile(store_of(row.pool, row.before), options);
        for (const char* own : row.own) {
            options.node_addresses.push_back(ip(own));
        }
        const Compiled next = compile::compile(store_of(row.pool, row.gateways), options, &first);
        CHECK(who(next) == row.want);
        CHECK(who(compile::compile(store_of(row.pool, row.gateways), options, &next)) == row.want);
    }
}

TEST_CASE("addresses: a Gateway has at most sixteen, as many as its status, and those that it names are among them") {
    Options options;
    std::string fifteen;
    for (int i = 1; i <= 40; ++i) {
        options.node_addresses.push_back(ip(("192.0.2." + std::to_string(i)).c_str()));
        fifteen += i <= 15 ? " 10.0.0." + std::to_string(i) : "";
    }
    const std::string pool = "10.0.0.1-10.0.0.40,2001:db8::1-2001:db8::9";
    const auto count = [](const AddressBook& book, const char* name) { return book.at(std::string("Gateway/default/") + name).size(); };
    const model::Store store = store_of(pool, {"a@none:81", "b" + fifteen + " any", "c@none:82 192.0.2.40 any"});
    Compiled compiled = compile::compile(store, options);
    for (int i = 0; i < 2; ++i) {
        const AddressBook told = told_of(compiled);
        CHECK(count(told, "a") == 16);
        CHECK(count(told, "b") == 16);
        CHECK(count(told, "c") == 16);
        CHECK(told.at("Gateway/default/c").front() == ip("192.0.2.40"));
        CHECK(who(compiled).find("Address") == std::string::npos);
        compiled = compile::compile(store, options, &compiled);
    }
    AddressBook told;
    for (int i = 1; i <= 40; ++i) {
        told["Gateway/default/e"].push_back(ip(("10.0.0." + std::to_string(i)).c_str()));
    }
    CHECK(compile::compile(store_of(pool, {"e host"}), options, nullptr, &told).ids.addresses->at("Gateway/default/e").size() == 16);
}

TEST_CASE("addresses: without a pool a Gateway has those of the other nodes, too, as every node tells it, and no pool gives them") {
    struct Row {
        const char* name;
        std::vector<std::string> gateways;
        std::vector<const char*> own;
        std::vector<const char*> others;
        const char* want;
    };
    const Row rows[] = {
        {"two nodes", {"a@none"}, {"192.0.2.2"}, {"192.0.2.1", "2001:db8::1"}, "a=192.0.2.1,192.0.2.2,2001:db8::1, "},
        {"as the other one tells it", {"a@none"}, {"192.0.2.1", "2001:db8::1"}, {"192.0.2.2"}, "a=192.0.2.1,192.0.2.2,2001:db8::1, "},
        {"a node without any does not serve it", {"a@none"}, {}, {"192.0.2.1"}, "a=192.0.2.1,AddressNotAssigned "},
        {"nobody has any", {"a@none"}, {}, {}, "a=AddressNotAssigned "},
        {"one that names an address has that one", {"a@none 192.0.2.7"}, {"192.0.2.2"}, {"192.0.2.1"}, "a=192.0.2.7, "},
        {"and others if it asks for any", {"a@none 192.0.2.7 any"}, {"192.0.2.2"}, {"192.0.2.1"}, "a=192.0.2.7,192.0.2.1,192.0.2.2, "},
        {"of a pool nothing is another node's own", {"a", "b"}, {}, {"10.0.0.1"}, "a=10.0.0.2, b=AddressNotAssigned "},
        {"what a pool gave is nobody else's", {"a 10.0.0.1", "b@none:81"}, {"192.0.2.1"}, {"10.0.0.1"}, "a=10.0.0.1, b=192.0.2.1, "},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Options options;
        for (const char* own : row.own) {
            options.node_addresses.push_back(ip(own));
        }
        std::set<IpAddress> others;
        for (const char* other : row.others) {
            others.insert(ip(other));
        }
        const model::Store store = store_of("10.0.0.1-10.0.0.2", row.gateways);
        const Compiled first = compile::compile(store, options, nullptr, nullptr, others);
        CHECK(who(first) == row.want);
        const Compiled next = compile::compile(store, options, &first, nullptr, others);
        CHECK(who(next) == row.want);
        for (const compile::ClaimedAddress& claim : next.addresses) {  // what is another node's own is not listened on here
            CHECK((!others.contains(claim.address) || row.gateways[0].find(claim.address.text()) != std::string::npos));
        }
    }
    // Where they may name only what is a node's own, whichever node's. Of a pool they may.
    Options strict;
    strict.names_only_own = true;
    strict.node_addresses = {ip("192.0.2.1")};
    const std::vector<std::string> named = {"a@none 192.0.2.1", "b@none:81 192.0.2.2", "c@none:82 192.0.2.7", "d@none:83 127.0.0.1", "e 10.0.0.1", "f@none:84 192.0.2.7 192.0.2.1"};
    const Compiled judged = compile::compile(store_of("10.0.0.1", named), strict, nullptr, nullptr, {ip("192.0.2.2")});
    CHECK(who(judged) == "a=192.0.2.1, b=192.0.2.2, c=AddressNotUsable d=AddressNotUsable e=10.0.0.1, f=192.0.2.1,AddressNotUsable ");
    for (const compile::ClaimedAddress& claim : judged.addresses) {  // nobody puts what is another node's own
        CHECK(claim.address != ip("192.0.2.2"));
    }
    CHECK(who(compile::compile(store_of("10.0.0.1", {"a@none 192.0.2.2 any"}), strict, nullptr, nullptr, {ip("192.0.2.2")})) == "a=192.0.2.2,192.0.2.1, ");
    // There is no room for more than sixteen.
    std::set<IpAddress> many;
    for (int i = 1; i <= 40; ++i) {
        many.insert(ip(("192.0.2." + std::to_string(i)).c_str()));
    }
    Options options;
    options.node_addresses = {ip("192.0.2.100")};
    CHECK(told_of(compile::compile(store_of("absent", {"a@none"}), options, nullptr, nullptr, many)).at("Gateway/default/a") == std::vector<IpAddress>(many.begin(), std::next(many.begin(), 16)));

    // A class that gets a pool that cannot be read: what its status told of other nodes was given by no pool.
    AddressBook told;
    told["Gateway/default/a"] = {ip("192.0.2.1"), ip("192.0.2.2")};
    options.node_addresses = {ip("192.0.2.2")};
    CHECK(who(compile::compile(store_of("absent", {"a"}), options, nullptr, &told, {ip("192.0.2.1")})) == "a=Invalid ");
}
