package sale

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAShadowHasNamesOfItsOwn(t *testing.T) {
	s, err := ShadowOf("flashsale", "shop")
	require.NoError(t, err)
	require.Equal(t, "flashsale.rehearsal", s.Namespace())
	require.Equal(t, "shop_rehearsal", s.Schema())
	namespace, schema := s.Real()
	require.Equal(t, []string{"flashsale", "shop"}, []string{namespace, schema})
	require.NoError(t, s.GuardNamespace("flashsale.rehearsal"))
	require.NoError(t, s.GuardSchema("shop_rehearsal"))
}

// The guards let exactly one name pass, whatever the name of the real engine is.
func TestGuardsLetNothingRealPass(t *testing.T) {
	s, err := ShadowOf("flashsale", "shop")
	require.NoError(t, err)
	for _, name := range []string{"", "flashsale", "FLASHSALE", "flashsale.", "flashsale.rehearsal2", "other.rehearsal",
		".rehearsal", "flashsale.rehearsal.rehearsal", "Flashsale.rehearsal", "shop_rehearsal"} {
		require.ErrorIs(t, s.GuardNamespace(name), ErrNotShadow, name)
	}
	for _, name := range []string{"", "shop", "SHOP", "shop_", "other_rehearsal", "_rehearsal", "shop_rehearsal_rehearsal",
		"SHOP_REHEARSAL", "flashsale.rehearsal"} {
		require.ErrorIs(t, s.GuardSchema(name), ErrNotShadow, name)
	}
	var zero Shadow
	for _, name := range []string{"", ".rehearsal", "_rehearsal", "flashsale.rehearsal", "shop_rehearsal"} {
		require.ErrorIs(t, zero.GuardNamespace(name), ErrNotShadow, name)
		require.ErrorIs(t, zero.GuardSchema(name), ErrNotShadow, name)
	}
}

func TestEnginesThatCannotBeRehearsed(t *testing.T) {
	long := strings.Repeat("n", 55)
	for _, c := range []struct{ namespace, schema, said string }{
		{"", "shop", "needs the namespace"}, {"flashsale", "", "needs the namespace"},
		{"flashsale.rehearsal", "shop", "that of a rehearsal"}, {"flashsale", "shop_rehearsal", "that of a rehearsal"},
		{"flashsale", "Shop_Rehearsal", "that of a rehearsal"},
		{long, "shop", "too long"}, {"flashsale", long, "too long"},
	} {
		_, err := ShadowOf(c.namespace, c.schema)
		require.ErrorContains(t, err, c.said)
	}
	_, err := ShadowOf(long[1:], long[1:])
	require.NoError(t, err)
}
