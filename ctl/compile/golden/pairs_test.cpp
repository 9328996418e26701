// SPDX-License-Identifier: Apache-2.0
// What a listener serves with when its Secret changes: what it held before as long as what is there now is of no use, nothing once it is gone.
#include <string>

#include "ctl/compile/golden/case.hpp"
#include "tools/test/catch.hpp"

namespace penstock::compile::golden {
namespace {

constexpr const char* kGateway = R"(apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: penstock
  listeners:
  - {name: shop, port: 443, protocol: HTTPS, hostname: shop.example, tls: {certificateRefs: [{name: own}]}}
  - {name: wide, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: example}]}}
)";
constexpr const char* kWide = "  Gateway/default/edge/wide Https certificate=default/example\n";

class Edge {
public:
    Edge() {
        load(store_, *read_text("cases/base.yaml"), "base.yaml", shown_.diagnostics);
        load(store_, kGateway, "gateway.yaml", shown_.diagnostics);
        options_.node_addresses = {IpAddress::v4(0xC0000201)};
        put("example", "example");
    }

    // The Secret "own", with the certificate and key of those.
    void put(const std::string& certificate, const std::string& key) {
        model::Object object = *secret("example");
        object.key.name = "own";
        auto& data = std::get<model::Secret>(object.body).data;
        data["tls.crt"] = value(certificate, "tls.crt");
        data["tls.key"] = value(key, "tls.key");
        store_.put(std::make_shared<const model::Object>(std::move(object)));
    }
    void remove() { store_.erase(secret("own")->key); }

    void compile() { now_ = compile::compile(store_, options_, &now_); }
    // After a restart of the daemon.
    void compile_anew() { now_ = compile::compile(store_, options_); }

    [[nodiscard]] std::string listeners() { return section("listeners"); }
    [[nodiscard]] std::string conditions() { return section("conditions"); }
    [[nodiscard]] const Compiled& now() const { return now_; }

private:
    std::string section(const std::string& name) {
        shown_.sections = {name};
        const std::string text = shown(shown_, now_);
        return text.substr(text.find('\n') + 1);
    }
    [[nodiscard]] model::ObjectPtr secret(const std::string& name) const { return store_.get(model::Kind::secret, "default", name); }
    [[nodiscard]] std::string value(const std::string& secret_name, const std::string& entry) const {
        return model::body_of<model::Secret>(*secret(secret_name))->data.at(entry);
    }

    model::Store store_;
    Options options_;
    Case shown_;
    Compiled now_;
};

const std::string kShopServed = "  Gateway/default/edge/shop Https host=shop.example certificate=default/own\n";
const std::string kShopClaimed = "  Gateway/default/edge/shop Https host=shop.example\n";

TEST_CASE("pairs: a Secret that is replaced by one of no use is served with what it held before, which is told") {
    Edge edge;
    edge.compile();
    REQUIRE(edge.listeners() == kShopServed + kWide);
    const Snapshot good = edge.now().snapshot;
    edge.put("shop", "example");
    for (int round = 0; round < 2; ++round) {
        edge.compile();
        CHECK(edge.listeners() == kShopServed + kWide);
        CHECK(edge.now().snapshot.root == good.root);
        CHECK(edge.now().snapshot.keys == good.keys);
        CHECK(edge.conditions().find(" Programmed ResolvedRefs=False/InvalidCertificateRef(Secret default/own cannot be used: ") != std::string::npos);
        CHECK(edge.conditions().find("; what it held before is served)") != std::string::npos);
    }
    edge.put("shop", "shop");
    edge.compile();
    CHECK(edge.listeners() == kShopServed + kWide);
    CHECK(edge.now().snapshot.root != good.root);
    CHECK(edge.conditions().find("False") == std::string::npos);
}

TEST_CASE("pairs: a Secret that is gone takes its pair along, and nobody else serves the listener's name") {
    Edge edge;
    edge.compile();
    edge.remove();
    edge.compile();
    CHECK(edge.listeners() == kShopClaimed + kWide);
    edge.put("shop", "example");
    edge.compile();
    CHECK(edge.listeners() == kShopClaimed + kWide);
}

TEST_CASE("pairs: what a Secret held is not known after a restart, and nobody else serves the listener's name") {
    Edge edge;
    edge.compile();
    edge.put("shop", "example");
    edge.compile_anew();
    CHECK(edge.listeners() == kShopClaimed + kWide);
}

}  // namespace
}  // namespace penstock::compile::golden
