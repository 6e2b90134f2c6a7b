package gateway

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var phone = phoneIn(0)

// phoneIn is the phone in a bucket of autumn.
func phoneIn(number int) sale.Shelf {
	return sale.Shelf{Bucket: sale.Bucket{Sale: "autumn", Number: number}, SKU: "phone"}
}

// soldOutPhone are the members of a sold_out problem.
var soldOutPhone = map[string]any{"sku": "phone"}

func soldOutNow(s *scene) { s.stock.answer(sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "phone"}) }

func TestLatchClosesByTheVerdictAndOpensWhenStockIsBack(t *testing.T) {
	s := newScene(t).open(autumn())
	soldOutNow(s)
	s.stock.set(func(f *fakeStock) {
		f.readings[phone] = level{Epoch: 1}
		f.owners[phone] = []string{"owner"}
	})
	s.refused(s.press("ann", ""), sale.OutcomeSoldOut, soldOutPhone)
	s.look()
	s.refused(s.press("bob", ""), sale.OutcomeSoldOut, soldOutPhone)
	require.Len(t, s.stock.purchases(), 1, "the latch refuses from local memory")

	s.stock.set(func(f *fakeStock) { f.readings[phone] = level{Epoch: 1, Available: 1} })
	s.look()
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 1, CreatedAt: noon})
	require.Equal(t, http.StatusAccepted, s.press("bob", "").status)
	require.Empty(t, s.gateway.latchWatcher.sales)
}

func TestOwnersGoOnToTheExactPath(t *testing.T) {
	s := newScene(t).open(autumn())
	latchOf(s, "owner")
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: 1, Bought: 1, OrderID: 3})
	s.refused(s.press("owner", ""), sale.OutcomeAlreadyBought, map[string]any{"limit": 1.0, "bought": 1.0, "order_id": "3"})
	s.refused(s.press("ann", ""), sale.OutcomeSoldOut, soldOutPhone)
	require.Len(t, s.stock.purchases(), 1)
}

// TestNoAnswerDependsOnAnUnprovenName: a request with an invalid token gets the answer of one without a token, for any name in
// it, so that the answers do not reveal who has bought.
func TestNoAnswerDependsOnAnUnprovenName(t *testing.T) {
	s := newScene(t).open(autumn())
	latchOf(s, "owner")
	other := []byte("another secret of thirty-two byte")
	soon := noon.Add(time.Hour).Unix()
	for _, name := range []string{"owner", "ann"} {
		claims := fmt.Sprintf(`{"sub":%q,"exp":%d}`, name, soon)
		for fault, token := range map[string]string{
			"another key": sign(other, claims), "unsigned": signAs(nil, `{"alg":"none"}`, claims),
			"unusual header":    signAs(other, `{"alg":"HS256","jwk":{}}`, claims),
			"another algorithm": signAs(secret, `{"alg":"HS384"}`, claims),
			"unusual claims":    sign(other, fmt.Sprintf(`{"roles":[],"sub":%q,"exp":%d}`, name, soon)),
			"expired":           sign(secret, fmt.Sprintf(`{"sub":%q,"exp":1}`, name)),
			"not yet":           sign(secret, fmt.Sprintf(`{"sub":%q,"exp":%d,"nbf":%d}`, name, soon, soon)),
			"no exp":            sign(secret, fmt.Sprintf(`{"sub":%q}`, name)),
			"no id":             sign(secret, fmt.Sprintf(`{"sub":"%s/","exp":%d}`, name, soon)),
			"rubbish":           "x", "two parts": "a.b", "not base64": "a.!!!.c", "not JSON": sign(secret, `{"sub":`),
			"number": sign(secret, `{"sub":5}`),
		} {
			t.Run(name+" "+fault, func(t *testing.T) {
				for range 3 { // also when the token has been seen
					r := s.send(http.MethodPost, phoneOrders, "", "Authorization: Bearer "+token)
					s.refused(r, sale.OutcomeSoldOut, soldOutPhone)
				}
			})
		}
	}
	s.refused(s.send(http.MethodPost, phoneOrders, ""), sale.OutcomeSoldOut, soldOutPhone)
	require.Empty(t, s.stock.purchases(), "a claimed name alone reaches nothing")
	escaped := sign(secret, fmt.Sprintf(`{"sub":"own\u0065r","exp":%d}`, soon))
	require.Equal(t, http.StatusAccepted, s.send(http.MethodPost, phoneOrders, "", "Authorization: Bearer "+escaped).status)
}

// TestDoubtNeedsAValidToken: if some buckets are closed, the home bucket follows from the name in the token.
func TestDoubtNeedsAValidToken(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Buckets = 2 }))
	s.database.bucket(sale.BucketRow{Bucket: sale.Bucket{Sale: "autumn", Number: 1}, Epoch: 1,
		State: sale.BucketClosed})
	s.pollCatalogue()
	for _, name := range []string{buyerOf(0, 2), buyerOf(1, 2)} {
		forged := sign([]byte("another secret of thirty-two byte"),
			fmt.Sprintf(`{"sub":%q,"exp":%d}`, name, noon.Add(time.Hour).Unix()))
		s.refused(s.send(http.MethodPost, phoneOrders, "", "Authorization: Bearer "+forged), sale.OutcomeUnauthenticated, nil)
	}
	s.refused(s.press(buyerOf(1, 2), ""), sale.OutcomeFenced, nil)
}

func TestEverybodyGoesOnWhileOwnersAreUnknown(t *testing.T) {
	cases := map[string]func(*scene){
		"not read yet": func(s *scene) {},
		"loaded anew": func(s *scene) {
			s.stock.set(func(f *fakeStock) { f.readings[phone] = level{Epoch: 2} })
			s.look()
		},
		"moved since": func(s *scene) {
			s.stock.set(func(f *fakeStock) { f.owners[phone] = []string{"owner"} })
			s.look()
			s.stock.set(func(f *fakeStock) { f.readings[phone] = level{Epoch: 1, Taken: 1} })
			require.NoError(s.t, s.gateway.latchWatcher.look(context.Background()))
		},
		"failed": func(s *scene) {
			require.NoError(s.t, s.gateway.latchWatcher.look(context.Background()))
			s.stock.set(func(f *fakeStock) { f.failing = errAway })
			require.ErrorIs(s.t, s.gateway.latchWatcher.owners.read(context.Background(), <-s.gateway.latchWatcher.owners.orders),
				errAway)
		},
		"stale": func(s *scene) {
			s.stock.set(func(f *fakeStock) { f.owners[phone] = []string{"owner"} })
			s.look()
			s.stock.set(func(f *fakeStock) { f.failing = errAway })
			s.gateway.latchWatcher.looked = time.Now().Add(-2 * staleAfter)
			require.ErrorIs(s.t, s.gateway.latchWatcher.look(context.Background()), errAway)
		},
	}
	for name, arrange := range cases {
		t.Run(name, func(t *testing.T) {
			s := newScene(t).open(autumn())
			soldOutNow(s)
			s.stock.set(func(f *fakeStock) { f.readings[phone] = level{Epoch: 1} })
			s.press("ann", "")
			arrange(s)
			before := len(s.stock.purchases())
			s.press("bob", "")
			require.Len(t, s.stock.purchases(), before+1)
			require.True(t, s.item("autumn", "phone").latch.soldOut(), "the latch itself stays closed")
			s.refused(s.send(http.MethodPost, phoneOrders, ""), sale.OutcomeSoldOut, soldOutPhone)
		})
	}
}

func TestFilterIsReadAgainWhenOthersHaveSold(t *testing.T) {
	s := newScene(t).open(autumn())
	latchOf(s, "owner")
	s.stock.set(func(f *fakeStock) {
		f.readings[phone] = level{Epoch: 1, Taken: 1}
		f.owners[phone] = []string{"owner", "late"}
	})
	s.refused(s.press("late", ""), sale.OutcomeSoldOut, soldOutPhone)
	s.look()
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: 1, Bought: 1, OrderID: 3})
	require.Equal(t, "already_bought", s.press("late", "").members(t)["code"])
	s.refused(s.press("ann", ""), sale.OutcomeSoldOut, soldOutPhone)
}

// TestLatchOfSeveralBuckets: the Stock's verdict is on the whole SKU, and so is the latch; owners are known bucket by bucket.
func TestLatchOfSeveralBuckets(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Buckets = 2 }))
	left, right, owner := buyerOf(0, 2), buyerOf(1, 2), "owner"
	first, second := phone, phoneIn(1)
	own := []sale.Shelf{first, second}[sale.HomeBucket(owner, 2)]
	s.stock.set(func(f *fakeStock) {
		f.owners[own] = []string{owner} // the other bucket has no owners
		f.readings[first], f.readings[second] = level{Epoch: 1}, level{Epoch: 1}
	})
	soldOutNow(s)
	s.press(left, "")
	require.Equal(t, 2, s.stock.purchases()[0].Buckets)
	s.look()
	for _, stranger := range []string{left, right} {
		s.refused(s.press(stranger, ""), sale.OutcomeSoldOut, soldOutPhone)
	}
	require.Len(t, s.stock.purchases(), 1, "strangers of every bucket are refused from local memory")
	s.press(owner, "")
	require.Len(t, s.stock.purchases(), 2)
	s.refused(s.send(http.MethodPost, phoneOrders, ""), sale.OutcomeSoldOut, soldOutPhone)

	s.stock.set(func(f *fakeStock) { f.readings[second] = level{Epoch: 1, Available: 1} })
	s.look()
	for _, stranger := range []string{left, right} {
		before := len(s.stock.purchases())
		s.press(stranger, "")
		require.Len(t, s.stock.purchases(), before+1, "every buyer may buy units of one bucket")
	}
}

// TestBucketInDoubtMayHoldUnits: its SKU is not sold out, even if it was before.
func TestBucketInDoubtMayHoldUnits(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Buckets = 2 }))
	second := phoneIn(1)
	s.stock.set(func(f *fakeStock) {
		f.readings[phone], f.readings[second] = level{Epoch: 1}, level{Epoch: 1}
	})
	s.gateway.latchWatcher.soldOut(s.item("autumn", "phone").latch)
	s.look()
	left, right := buyerOf(0, 2), buyerOf(1, 2)
	s.refused(s.press(left, ""), sale.OutcomeSoldOut, soldOutPhone)
	s.database.bucket(sale.BucketRow{Bucket: second.Bucket, Epoch: 1, State: sale.BucketClosed})
	s.pollCatalogue()
	require.Equal(t, http.StatusAccepted, s.press(left, "").status)
	s.refused(s.press(right, ""), sale.OutcomeFenced, nil)
}

// TestOwnersAreReadInTheEpochOfTheCatalogue: before that a rebuild may not have loaded them all.
func TestOwnersAreReadInTheEpochOfTheCatalogue(t *testing.T) {
	s := newScene(t).open(autumn())
	latchOf(s, "owner")
	filter := &s.closing("phone").filters[0]
	s.stock.set(func(f *fakeStock) { f.readings[phone] = level{Epoch: 2} })
	s.look()
	require.Nil(t, filter.Load().buyers, "the owners of epoch 1 are not those of epoch 2, which is not known to be open")
	s.database.bucket(sale.BucketRow{Bucket: phone.Bucket, Epoch: 2, State: sale.BucketOpen})
	s.pollCatalogue()
	s.look()
	require.NotNil(t, filter.Load().buyers)
}

func TestLooksCostOnlyClosedLatches(t *testing.T) {
	s := newScene(t)
	for i := range 50 {
		s.database.publish(autumn(func(s *sale.Sale) { s.ID = fmt.Sprintf("sale-%d", i) }))
	}
	s.pollCatalogue()
	s.look()
	require.Zero(t, s.stock.reads.Load())
	s.gateway.latchWatcher.soldOut(s.item("sale-7", "phone").latch)
	s.stock.set(func(f *fakeStock) {
		f.readings[sale.Shelf{Bucket: sale.Bucket{Sale: "sale-7"}, SKU: "phone"}] = level{Epoch: 1}
	})
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.EqualValues(t, 1, s.stock.reads.Load())
	require.EqualValues(t, 1, s.stock.shelves.Load())
}

func TestLooksAreBoundedAndFair(t *testing.T) {
	const items = looksPerRound + 10
	s := newScene(t).open(autumn(func(s *sale.Sale) {
		s.Items = nil
		for i := range items {
			s.Items = append(s.Items, sale.Item{SKU: fmt.Sprintf("sku-%d", i), Stock: 1})
		}
	}))
	for sku, item := range s.gateway.catalogue.current.Load().sales["autumn"].items {
		s.stock.set(func(f *fakeStock) { f.readings[sale.Shelf{Bucket: phone.Bucket, SKU: sku}] = level{Epoch: 1} })
		s.gateway.latchWatcher.soldOut(item.latch)
	}
	seen := map[*closing]bool{}
	l := s.item("autumn", "sku-0").latch.sale
	readings, err := s.stock.Readings(context.Background(), l.names(nil))
	require.NoError(t, err)
	for i, count := range []int{looksPerRound, items - looksPerRound, 0} {
		part := s.gateway.latchWatcher.part(l, readings, looksPerRound)
		require.Len(t, part, count, "look %d", i)
		for _, c := range part {
			seen[c] = true
		}
	}
	require.Len(t, seen, items, "the next look takes the other SKUs")
}

// TestLooksTakeSalesInRotation: each sale is the first one to use the bound of shelves in turn, and none is left out.
func TestLooksTakeSalesInRotation(t *testing.T) {
	const sales, buckets = 20, sale.MaxBuckets // more buckets than one look takes
	s := newScene(t)
	for i := range sales {
		s.database.publish(autumn(func(s *sale.Sale) { s.ID, s.Buckets = fmt.Sprintf("sale-%d", i), buckets }))
	}
	s.pollCatalogue()
	for i := range sales {
		s.gateway.latchWatcher.soldOut(s.item(fmt.Sprintf("sale-%d", i), "phone").latch)
	}
	seen := map[*saleLatches]int{}
	for range 8 {
		due := s.gateway.latchWatcher.due()
		require.Len(t, due, looksPerRound/buckets)
		for _, l := range due {
			seen[l]++
		}
	}
	require.Len(t, seen, sales)
	for _, times := range seen {
		require.Equal(t, 8*(looksPerRound/buckets)/sales, times)
	}
}

// TestLatchesThatOpenHideNoOther: a latch that opens leaves its place to the last one, which the round has not looked at yet.
func TestLatchesThatOpenHideNoOther(t *testing.T) {
	const items = 3 * looksPerRound
	s := newScene(t).open(autumn(func(s *sale.Sale) {
		s.Items = nil
		for i := range items {
			s.Items = append(s.Items, sale.Item{SKU: fmt.Sprintf("sku-%d", i), Stock: 1})
		}
	}))
	s.stock.set(func(f *fakeStock) {
		for i := range items {
			units := int64(0)
			if i < 10 || i >= items-10 {
				units = 1
			}
			f.readings[sale.Shelf{Bucket: phone.Bucket, SKU: fmt.Sprintf("sku-%d", i)}] = level{Epoch: 1, Available: units}
		}
	})
	for _, item := range s.gateway.catalogue.current.Load().sales["autumn"].shown {
		s.gateway.latchWatcher.soldOut(item.latch)
	}
	for range 2 * items / looksPerRound {
		require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	}
	require.Len(t, s.item("autumn", "sku-0").latch.sale.closed, items-20)
}

// TestQuietBucketsCostNoLookAtTheStock: ten thousand SKUs that are sold out cost one reading of their bucket.
func TestQuietBucketsCostNoLookAtTheStock(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) {
		s.Items = nil
		for i := range sale.MaxItems {
			s.Items = append(s.Items, sale.Item{SKU: fmt.Sprintf("sku-%d", i), Stock: 1})
		}
	}))
	for _, item := range s.gateway.catalogue.current.Load().sales["autumn"].shown {
		s.stock.set(func(f *fakeStock) {
			f.readings[sale.Shelf{Bucket: phone.Bucket, SKU: item.SKU}] = level{Epoch: 1, Taken: 1}
		})
		s.gateway.latchWatcher.soldOut(item.latch)
	}
	for range 4 * sale.MaxItems / looksPerRound { // until every filter is at work
		s.look()
	}
	require.NotNil(t, s.filter("sku-9999"))
	reads, shelves := s.stock.reads.Load(), s.stock.shelves.Load()
	for range 10 {
		s.look()
	}
	require.EqualValues(t, 10, s.stock.reads.Load()-reads)
	require.Equal(t, shelves, s.stock.shelves.Load())

	s.stock.set(func(f *fakeStock) {
		f.readings[sale.Shelf{Bucket: phone.Bucket, SKU: "sku-7777"}] = level{Epoch: 1, Available: 1, Taken: 1, Returned: 1}
	})
	for range sale.MaxItems / looksPerRound { // one second
		s.look()
	}
	require.Nil(t, s.closing("sku-7777"))
	require.NotNil(t, s.closing("sku-7776"))
}

func TestLatchesOfFinishedSalesRestUntilTheSaleChanges(t *testing.T) {
	s := newScene(t).open(autumn())
	latchOf(s, "owner")
	s.stock.now.Store(noon.Add(2 * time.Hour).UnixMilli())
	looks := s.stock.reads.Load()
	s.look()
	require.Equal(t, looks, s.stock.reads.Load())
	require.True(t, s.item("autumn", "phone").latch.soldOut(), "it still shows as sold out")

	s.open(autumn(func(s *sale.Sale) { s.EndsAt = sale.Time{Time: noon.Add(3 * time.Hour)} }))
	s.stock.set(func(f *fakeStock) { f.readings[phone] = level{Epoch: 1, Available: 1} })
	s.look()
	require.False(t, s.item("autumn", "phone").latch.soldOut(), "the end was moved: it is looked at again")
}

func TestLatchOutlivesChangesOfTheCatalogue(t *testing.T) {
	s := newScene(t).open(autumn())
	latchOf(s, "owner")
	s.open(autumn(func(s *sale.Sale) { s.Name = "renamed" }))
	s.refused(s.press("ann", ""), sale.OutcomeSoldOut, soldOutPhone)
}

func TestBucketThatRedisDoesNotKnowOpensItsLatch(t *testing.T) {
	s := newScene(t).open(autumn())
	latchOf(s, "owner")
	s.stock.set(func(f *fakeStock) { f.readings[phone] = level{} })
	s.look()
	require.False(t, s.item("autumn", "phone").latch.soldOut())
}

// TestLatchRoleOpensWithinASecond runs the real role.
func TestLatchRoleOpensWithinASecond(t *testing.T) {
	s := newScene(t).open(autumn())
	s.run()
	latchOf(s, "owner")
	s.stock.set(func(f *fakeStock) { f.readings[phone] = level{Epoch: 1, Available: 1} })
	require.Eventually(t, func() bool { return s.press("ann", "").status == http.StatusAccepted }, time.Second,
		5*time.Millisecond)
}

// TestHomeBucketIsFNV1a: the mapping is part of the stored state.
func TestHomeBucketIsFNV1a(t *testing.T) {
	for i := range 1000 {
		buyer := fmt.Sprintf("buyer-%d", i*i)
		h := fnv.New32a()
		h.Write([]byte(buyer))
		require.Equal(t, int(h.Sum32()%64), sale.HomeBucket(buyer, 64))
		require.Equal(t, sale.HomeBucket(buyer, 64), sale.HomeBucket([]byte(buyer), 64))
	}
}
