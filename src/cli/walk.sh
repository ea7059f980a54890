WEIR=http://{weir}
SECRET='Authorization: Bearer sk_test_acme'    # the merchant's confidential key
PUBLIC='Authorization: Bearer pk_test_acme'    # the public key, as the shopper's browser uses it
id() { sed 's/^{"id":"\([^"]*\)".*/\1/'; }

# A checkout over 26.89, store credit of 11, a card. In the right order all goes through: the credit first, the card last.
CHECKOUT=$(curl -s $WEIR/checkouts -H "$SECRET" -d '{"currency":"USD","items":[{"skuId":"sku","quantity":2,"aggregatePrice":26.89}]}' | id)
CREDIT=$(curl -s $WEIR/sources -H "$SECRET" -d '{"type":"customerCredit","amount":11,"customerCredit":{}}' | id)
CARD=$(curl -s $WEIR/sources -H "$PUBLIC" -d '{"type":"creditCard","creditCard":{"number":"4111111111111111"}}' | id)
curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CREDIT -H "$SECRET" | grep -iE '^(HTTP|weir-)'
curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CARD -H "$SECRET" | grep -iE '^(HTTP|weir-)'
curl -si $WEIR/orders -H "$SECRET" -d "{\"checkoutId\":\"$CHECKOUT\"}" | grep -iE '^(HTTP|weir-)'

# The wrong order: the card first. Weir refuses the credit with the vendor's own error, and upstream never sees it.
CHECKOUT=$(curl -s $WEIR/checkouts -H "$SECRET" -d '{"currency":"USD","items":[{"skuId":"sku","quantity":2,"aggregatePrice":26.89}]}' | id)
CREDIT=$(curl -s $WEIR/sources -H "$SECRET" -d '{"type":"customerCredit","amount":11,"customerCredit":{}}' | id)
CARD=$(curl -s $WEIR/sources -H "$PUBLIC" -d '{"type":"creditCard","creditCard":{"number":"4111111111111111"}}' | id)
curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CARD -H "$SECRET" | grep -iE '^(HTTP|weir-)'
curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CREDIT -H "$SECRET"; echo

# A cart over 100, the card first. The carts API would take the credit of 40, and lose it at submit: 100 charged to the card.
TOKEN=$(curl -s $WEIR/oauth20/token -d 'grant_type=anonymous&client_id=pk_acme' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
ME="Authorization: bearer $TOKEN"; JSON='Accept: application/json'; CART=$WEIR/v1/shoppers/me/carts/active
curl -s -o /dev/null -X POST "$CART?productId=p&quantity=1&price=100" -H "$ME" -H "$JSON"
CREDIT=$(curl -s $WEIR/sources -H "$SECRET" -d '{"type":"customerCredit","amount":40,"customerCredit":{}}' | id)
CARD=$(curl -s $WEIR/sources -H "$PUBLIC" -d '{"type":"creditCard","creditCard":{"number":"4111111111111111"}}' | id)
curl -si $CART/apply-payment-method -H "$ME" -H "$JSON" -d "{\"paymentMethod\":{\"sourceId\":\"$CARD\"}}" | grep -iE '^(HTTP|weir-)'
curl -si $CART/apply-payment-method -H "$ME" -H "$JSON" -d "{\"paymentMethod\":{\"sourceId\":\"$CREDIT\"}}"; echo
