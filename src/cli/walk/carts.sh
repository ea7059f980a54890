
echo "== A cart over 100: first a card, then store credit of 40. The carts API takes both, and loses the credit at submit."
reject> echo "== Weir refuses the credit and says what to do."
reorder> echo "== Weir repairs it: it takes the card off, puts the credit on and the card on again. The caller sees one answer."
monitor> echo "== Weir passes the credit on and says what it saw."
off> echo "== No rule is looked at."
TOKEN=$(curl -s $WEIR/oauth20/token -d 'grant_type=anonymous&client_id=pk_acme' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
ME="Authorization: bearer $TOKEN"
JSON='Accept: application/json'
CART=$WEIR/v1/shoppers/me/carts/active
curl -s -o /dev/null -X POST "$CART?productId=p&quantity=1&price=100" -H "$ME" -H "$JSON"
CREDIT=$(curl -s $WEIR/sources -H "$SECRET" -d '{"type":"customerCredit","amount":40,"customerCredit":{}}' | id_of)
CARD=$(curl -s $WEIR/sources -H "$PUBLIC" -d '{"type":"creditCard","creditCard":{"number":"4111111111111111"}}' | id_of)
curl -si $CART/apply-payment-method -H "$ME" -H "$JSON" -d "{\"paymentMethod\":{\"sourceId\":\"$CARD\"}}" | show
reject> curl -si $CART/apply-payment-method -H "$ME" -H "$JSON" -d "{\"paymentMethod\":{\"sourceId\":\"$CREDIT\"}}"; echo
reorder,monitor,off> curl -si $CART/apply-payment-method -H "$ME" -H "$JSON" -d "{\"paymentMethod\":{\"sourceId\":\"$CREDIT\"}}" | show
reject> echo "== What the refusal asks for: the card off, the credit on, the card on again."
reject> curl -si -X DELETE $CART/apply-payment-method -H "$ME" -H "$JSON" -d "{\"paymentMethod\":{\"sourceId\":\"$CARD\"}}" | show
reject> curl -si $CART/apply-payment-method -H "$ME" -H "$JSON" -d "{\"paymentMethod\":{\"sourceId\":\"$CREDIT\"}}" | show
reject> curl -si $CART/apply-payment-method -H "$ME" -H "$JSON" -d "{\"paymentMethod\":{\"sourceId\":\"$CARD\"}}" | show

echo "== Submit the cart. The emulator says which credits were lost, of which order."
curl -si -X POST $CART/submit-cart -H "$ME" -H "$JSON" | show
curl -s $EMULATOR/_emulator/state | grep -o '"lostCredits":\[[^]]*\]'
