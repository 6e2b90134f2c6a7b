package rehearse

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/settings"
)

func validOptions() Options {
	return Options{Sale: "spring", Buyers: 10, Rate: 1, Gateways: 1, Settles: 1, PayWithin: time.Second,
		CallbackListen: "127.0.0.1:0", Limits: limits()}
}

// Every fault is named at once.
func TestWrongOptions(t *testing.T) {
	right := validOptions()
	require.NoError(t, right.Validate())
	right.PayURL = "https://shop.example/pay?x=1"
	require.NoError(t, right.Validate())
	err := (&Options{Sale: "a b", Buyers: 0, Rate: 0, Repeat: 2, Gateways: 0, Settles: 17, Pay: -1, PayURL: "shop:80",
		CallbackListen: "x"}).Validate()
	require.ErrorIs(t, err, ErrUsage)
	for _, want := range []string{"is not a sale id", "--buyers", "--rate", "--repeat", "--gateways", "--settles", "--pay ",
		"--pay-url", "--pay-within", "--callback-listen", "--max-p99", "--max-drain"} {
		require.ErrorContains(t, err, want)
	}
	for _, wrong := range []string{"ftp://x/", "http://", "/path", "shop", "http:/x"} {
		right.PayURL = wrong
		require.ErrorContains(t, right.Validate(), "--pay-url", wrong)
	}
	for _, wrong := range []float64{math.NaN(), math.Inf(1), -1, 2e6} {
		o := validOptions()
		o.Rate = wrong
		require.ErrorContains(t, o.Validate(), "--rate")
	}
	require.InDelta(t, 100, DefaultRate(1000), 0)
	require.InDelta(t, 1, DefaultRate(3), 0)
}

// The refusal has the number of buyers that are possible, and says what bounds them.
func TestMoreBuyersThanConnections(t *testing.T) {
	m := Machine{Ports: 28_232, Descriptors: 1 << 20}
	require.NoError(t, m.check(28_232, 1))
	require.ErrorContains(t, m.check(28_233, 1), "at most 28232 buyers at once, because it has 28232 ports")
	require.NoError(t, m.check(28_233, 2))
	m.Descriptors = 4096
	err := m.check(4000, 1)
	require.ErrorContains(t, err, "at most 3096 buyers at once, because it may open 4096 files")
	require.ErrorContains(t, err, "Nothing was made")
	require.NoError(t, Machine{Descriptors: math.MaxUint64}.check(10_000_000, 1), "a machine without known bounds")
	require.ErrorContains(t, Machine{Descriptors: 10}.check(1, 1), "at most 0 buyers")
	require.Equal(t, 28_232, portsIn("32768\t60999\n"))
	for _, text := range []string{"", "1", "a b", "9 5", "1 2 3"} {
		require.Zero(t, portsIn(text), text)
	}
	if _, err := os.Stat(portRange); err == nil {
		require.Positive(t, readMachine(1).Ports)
	}
}

// The shadow has names, addresses and secrets of its own, and the real ones stay.
func TestSettingsOfTheShadow(t *testing.T) {
	original := &settings.Settings{Namespace: "flashsale"}
	original.Admin.Token, original.Gateway.Listen, original.Gateway.MaxInFlight = "real-token", "0.0.0.0:80", 7
	original.Auth.HS256PreviousSecret, original.Admin.Tokens = "previous", "ann:admin:0123456789abcdef"
	names, err := sale.ShadowOf("flashsale", "shop")
	require.NoError(t, err)
	a, b := shadowSettings(original, names), shadowSettings(original, names)
	require.Equal(t, "flashsale.rehearsal", a.Namespace)
	require.Equal(t, []string{anyPort, anyPort, anyPort}, []string{a.Gateway.Listen, a.Admin.Listen, a.Settle.Listen})
	require.Equal(t, 7, a.Gateway.MaxInFlight, "what bounds the real gateways bounds these")
	require.Empty(t, a.Auth.HS256PreviousSecret)
	require.Empty(t, a.Admin.Tokens, "no real token opens the shadow")
	for _, secret := range []settings.Secret{a.Admin.Token, a.Shop.Token, a.Auth.HS256Secret} {
		require.Len(t, secret.Reveal(), 2*secretBytes)
	}
	require.NotEqual(t, a.Admin.Token, a.Shop.Token)
	require.NotEqual(t, a.Admin.Token, b.Admin.Token)
	require.Equal(t, "real-token", original.Admin.Token.Reveal())
	require.Equal(t, "flashsale", original.Namespace)
}

// The shadow's sale has every member of the real one but its window.
func TestDefinitionOfTheShadow(t *testing.T) {
	three := 3
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	body, err := definitionOf(&sale.Sale{
		ID: "spring", State: sale.StateDraft, Name: "Spring", Currency: "CNY", PerBuyerLimit: 2, SaleLimit: 5, PaymentTTL: 60,
		Eligibility: sale.EligibilityList, Buckets: 4, StartsAt: sale.Time{Time: now.AddDate(1, 0, 0)},
		Items: []sale.Item{{SKU: "phone", Stock: 7, PriceCents: 9, Name: "P", PerBuyerLimit: &three}, {SKU: "case"}},
	}, now)
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"Spring","starts_at":"2027-01-02T03:03:05Z","ends_at":"2027-01-03T03:04:05Z","currency":"CNY",
		"per_buyer_limit":2,"per_buyer_sale_limit":5,"payment_ttl_s":60,"eligibility":"list","buckets":4,"items":[
		{"sku":"phone","stock":7,"price_cents":9,"name":"P","per_buyer_limit":3},
		{"sku":"case","stock":0,"price_cents":0,"name":"","per_buyer_limit":null}]}`, string(body))
}

func TestSalesThatSellAreRefused(t *testing.T) {
	for state, refused := range map[sale.State]bool{sale.StateDraft: false, sale.StatePreloaded: false, sale.StateOpen: true,
		sale.StatePaused: true, sale.StateClosed: false} {
		err := refuseSelling(&sale.Sale{ID: "spring", State: state})
		if !refused {
			require.NoError(t, err, state)
			continue
		}
		require.ErrorIs(t, err, ErrSelling)
		require.ErrorContains(t, err, "sale spring is "+string(state))
	}
}
