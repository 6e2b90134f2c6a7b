package sale

import (
	"encoding/json"
	"reflect"
)

// StateChange is the trail's change of a sale's state, with the verb that leads to it.
func StateChange(before, after *Sale) Change {
	verbs := map[State]string{
		StatePreloaded: VerbPreload, StateOpen: VerbOpen, StatePaused: VerbPause, StateClosed: VerbClose,
		StateArchived: VerbArchive,
	}
	verb := verbs[after.State]
	if before.State == StatePaused && after.State == StateOpen {
		verb = VerbResume
	}
	return Change{Sale: after.ID, Verb: verb, Target: TargetSale(after.ID), Before: stateOf(before), After: stateOf(after)}
}

func stateOf(s *Sale) map[string]string {
	state := map[string]string{"state": string(s.State)}
	if s.Reason != "" {
		state["reason"] = s.Reason
	}
	return state
}

// DefinitionChange is the trail's change of a sale's definition: all of a new sale, else the members and the items that
// differ.
func DefinitionChange(before, after *Sale) Change {
	if before == nil {
		return Change{Sale: after.ID, Verb: VerbCreate, Target: TargetSale(after.ID), After: after}
	}
	was, is := membersThatDiffer(before, after)
	items, became := itemsThatDiffer(before.Items, after.Items)
	if len(items)+len(became) > 0 {
		was["items"], is["items"] = items, became
	}
	return Change{Sale: after.ID, Verb: VerbChange, Target: TargetSale(after.ID), Before: was, After: is}
}

// membersThatDiffer compares two sales member by member, apart from their items.
func membersThatDiffer(before, after *Sale) (was, is map[string]any) {
	was, is = map[string]any{}, map[string]any{}
	old, changed := membersOf(before), membersOf(after)
	for name, value := range old {
		if !reflect.DeepEqual(value, changed[name]) {
			was[name], is[name] = value, changed[name]
		}
	}
	return was, is
}

func membersOf(s *Sale) (members map[string]any) {
	bare := *s
	bare.Items = nil
	encoded, err := json.Marshal(bare)
	if err == nil {
		err = json.Unmarshal(encoded, &members)
	}
	if err != nil {
		panic("a sale is always a JSON object: " + err.Error())
	}
	return members
}

// itemsThatDiffer returns the items that are not the same in both lists, as they were and as they are.
func itemsThatDiffer(before, after []Item) (was, is []Item) {
	was, is = []Item{}, []Item{}
	old := make(map[string]*Item, len(before))
	for i := range before {
		old[before[i].SKU] = &before[i]
	}
	for i := range after {
		item := &after[i]
		present, known := old[item.SKU]
		delete(old, item.SKU)
		if known && present.Same(item) {
			continue
		}
		if known {
			was = append(was, *present)
		}
		is = append(is, *item)
	}
	for i := range before {
		if _, gone := old[before[i].SKU]; gone {
			was = append(was, before[i])
		}
	}
	return was, is
}

// StockNote is the trail's change of a SKU's stock by units that are added at once.
func StockNote(item *Item, added int64, sale string) Change {
	return Change{
		Sale: sale, Verb: VerbStock, Target: TargetItem(sale, item.SKU), Before: map[string]int64{"stock": item.Stock},
		After: map[string]int64{"stock": item.Stock + added, "added": added},
	}
}

// TakeNote is the trail's entry of units that are asked back, a negative number: the stock falls when Redis has given them.
func TakeNote(item *Item, asked int64, sale string) Change {
	return Change{
		Sale: sale, Verb: VerbStock, Target: TargetItem(sale, item.SKU), Before: map[string]int64{"stock": item.Stock},
		After: map[string]int64{"stock": item.Stock, "asked": asked},
	}
}

// TakenNote is the trail's change of the stock of a sale's SKUs by the units that Redis has given back.
func TakenNote(sale string, stock, taken map[string]int64) Change {
	left := map[string]int64{}
	for sku, units := range stock {
		left[sku] = units - taken[sku]
	}
	return Change{
		Sale: sale, Verb: VerbStock, Target: TargetSale(sale), Before: map[string]any{"stock": stock},
		After: map[string]any{"stock": left},
	}
}

// OrderChange is the trail's change of an order by the shop or an operator.
func OrderChange(before, after *Order, verb string) Change {
	return Change{
		Sale: after.Sale, Verb: verb, Target: TargetOrder(after.OrderID), Before: orderNote(before), After: orderNote(after),
	}
}

func orderNote(o *Order) map[string]any {
	note := map[string]any{"status": o.Status}
	if o.PaymentID != "" {
		note["payment_id"] = o.PaymentID
	}
	if o.PayBy != nil {
		note["pay_by"] = o.PayBy
	}
	return note
}

// RebuildChanges are the trail's changes of buckets that a rebuild closes or opens, one for each sale.
func RebuildChanges(buckets []Bucket, state BucketState, reason string) []Change {
	var changes []Change
	numbers := map[string][]int{}
	for _, bucket := range buckets {
		if numbers[bucket.Sale] == nil {
			changes = append(changes, Change{Sale: bucket.Sale, Verb: VerbRebuild, Target: TargetSale(bucket.Sale)})
		}
		numbers[bucket.Sale] = append(numbers[bucket.Sale], bucket.Number)
	}
	for i := range changes {
		after := map[string]any{"buckets": numbers[changes[i].Sale], "state": state}
		if reason != "" {
			after["reason"] = reason
		}
		changes[i].After = after
	}
	return changes
}
